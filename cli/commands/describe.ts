import { Deployment } from '../../api/deployment.ts';
import { EndpointSlice } from '../../api/endpoint-slice.ts';
import { Event } from '../../api/event.ts';
import type { AnyObject } from '../../api/kind.ts';
import { Node } from '../../api/node.ts';
import { Pod } from '../../api/pod.ts';
import { Secret } from '../../api/secret.ts';
import { formatLabelSelector } from '../../api/selector.ts';
import { Service } from '../../api/service.ts';
import { text } from '../../base/flags.ts';
import type { Cli } from '../cli.ts';
import type { ApiClient } from '../client.ts';
import { defineVerb } from '../define-verb.ts';
import { resultName } from '../kind-lookup.ts';
import { sortEvents } from '../object-events.ts';
import { replicaSetsOf } from '../pods-of.ts';
import { type Described, describeAny } from '../print/describe-any.ts';
import { describeDeployment } from '../print/describe-deployment.ts';
import { describeNode } from '../print/describe-node.ts';
import { describePod } from '../print/describe-pod.ts';
import { describeService } from '../print/describe-service.ts';
import { layoutOf } from '../print/layout.ts';
import { formatSections, type Section } from '../print/sections.ts';
import { getObject, listObjects, type ObjectRef } from '../resources.ts';
import { parseTargets, refsOf } from '../targets.ts';

export const defineDescribe = defineVerb({
  words: { '<what...>': 'deploy/web · pod a b · nodes' },
  flags: { selector: text('labels', 'only those: app=web').short('l') },
  async run(cli, words, { selector }) {
    const [client, namespace] = [await cli.client(), await cli.namespace()];
    const refs = await refsOf(cli, parseTargets(words), selector);
    if (refs.length === 0) cli.err(`nothing to describe in namespace ${namespace}`);
    for (const [index, ref] of refs.entries()) {
      if (index > 0) cli.out('');
      cli.out(formatSections(headline(ref), await sectionsOf(cli, client, ref), layoutOf(cli.io)));
    }
    return 0;
  },
});

const headline = ({ kind, namespace, name }: ObjectRef) =>
  `${resultName(kind)}/${name}${namespace === '' ? '' : `   in ${namespace}`}`;

async function sectionsOf(
  cli: Cli,
  client: ApiClient,
  ref: ObjectRef,
): Promise<readonly Section[]> {
  const object = await getObject(client, ref);
  const events = await eventsOf(client, object);
  return (
    describers[ref.kind.kind]?.(client, { object, events, now: cli.io.clock.now() }) ??
    describeAny({ object, events, now: cli.io.clock.now() })
  );
}

async function eventsOf(client: ApiClient, { metadata }: AnyObject): Promise<readonly Event[]> {
  const fieldSelector = `involvedObject.uid=${metadata.uid}`;
  const namespace = metadata.namespace ?? '';
  return sortEvents(
    (await listObjects<Event>(client, { kind: Event, namespace, fieldSelector })).items,
  );
}

type Describe = (
  client: ApiClient,
  described: Described<AnyObject>,
) => readonly Section[] | Promise<readonly Section[]>;

/** Each knows what else it has to ask for. */
const describers: Readonly<Record<string, Describe>> = {
  [Pod.kind]: (_, described) => describePod(described as Described<Pod>),
  [Node.kind]: async (client, described) => {
    const fieldSelector = `spec.nodeName=${described.object.metadata.name}`;
    const pods = await listObjects<Pod>(client, { kind: Pod, namespace: '', fieldSelector });
    return describeNode(described as Described<Node>, pods.items);
  },
  [Deployment.kind]: async (client, described) => {
    const deployment = described as Described<Deployment>;
    return describeDeployment(deployment, await partsOf(client, deployment.object));
  },
  [Service.kind]: async (client, described) => {
    const { name, namespace = '' } = described.object.metadata;
    const labelSelector = `kubernetes.io/service-name=${name}`;
    const selection = { kind: EndpointSlice, namespace, labelSelector };
    const slices = await listObjects<EndpointSlice>(client, selection);
    return describeService(described as Described<Service>, slices.items);
  },
  [Secret.kind]: (_, described) => describeAny(withoutValues(described as Described<Secret>)),
};

async function partsOf(client: ApiClient, deployment: Deployment) {
  const { namespace = '' } = deployment.metadata;
  const labelSelector = formatLabelSelector(deployment.spec.selector);
  const [sets, pods] = await Promise.all([
    replicaSetsOf(client, deployment),
    listObjects<Pod>(client, { kind: Pod, namespace, labelSelector }),
  ]);
  return { sets, pods: pods.items };
}

/** A Secret is described by its sizes. */
function withoutValues({ object, ...rest }: Described<Secret>): Described<AnyObject> {
  const sizes = Object.entries(object.data ?? {}).map(
    ([key, value]) => [key, `${Buffer.from(value, 'base64').length} bytes`] as const,
  );
  return { ...rest, object: { ...object, data: Object.fromEntries(sizes) } as AnyObject };
}
