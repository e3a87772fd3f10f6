import { Deployment } from '../../api/deployment.ts';
import { EndpointSlice } from '../../api/endpoint-slice.ts';
import { Event } from '../../api/event.ts';
import type { AnyObject } from '../../api/kind.ts';
import { kinds } from '../../api/kinds.ts';
import { Node } from '../../api/node.ts';
import { Pod } from '../../api/pod.ts';
import { Secret } from '../../api/secret.ts';
import { formatLabelSelector } from '../../api/selector.ts';
import { Service } from '../../api/service.ts';
import { text } from '../../base/flags.ts';
import type { Cli } from '../cli.ts';
import { defineVerb } from '../define-verb.ts';
import { titleOf } from '../kind-lookup.ts';
import { sortEvents } from '../object-events.ts';
import { onNode, replicaSetsOf } from '../pods-of.ts';
import { commonFacts, describeAny, eventSection } from '../print/describe-any.ts';
import { describeDeployment } from '../print/describe-deployment.ts';
import { describeNode } from '../print/describe-node.ts';
import { describePod } from '../print/describe-pod.ts';
import { describeService } from '../print/describe-service.ts';
import { type Description, formatDescription } from '../print/sections.ts';
import { layoutOf } from '../print/table.ts';
import type { Api, ObjectRef } from '../resources.ts';
import { refsOf } from '../targets.ts';

export const defineDescribe = defineVerb({
  words: { '<what...>': 'deploy/web · pod a b · nodes' },
  flags: { selector: text('labels', 'only those: app=web').short('l') },
  async run(cli, words, { selector }) {
    const refs = await refsOf(cli, words, selector);
    if (refs.length === 0) cli.err(`nothing to describe in namespace ${await cli.namespace()}`);
    for (const [index, ref] of refs.entries()) {
      if (index > 0) cli.out('');
      cli.out(formatDescription(headline(ref), await describe(cli, ref), layoutOf(cli.io)));
    }
  },
});

const headline = (ref: ObjectRef) =>
  titleOf(ref) + (ref.namespace === '' ? '' : `   in ${ref.namespace}`);

/** What is said of its kind, and what is said of every object. */
async function describe({ api, io }: Cli, ref: ObjectRef): Promise<Description> {
  const object = await api.get(ref);
  const { namespace = '', uid } = object.metadata;
  const fieldSelector = `involvedObject.uid=${uid}`;
  const events = await api.list<Event>({ kind: Event, namespace, fieldSelector });
  const now = io.clock.now();
  // Others' kinds may have the same names.
  const own = kinds.includes(ref.kind) ? describers[ref.kind.kind] : undefined;
  const { facts, sections } = await (own ?? describeAny)(object, now, api);
  return {
    facts: [...facts, ...commonFacts(object, now)],
    sections: [...sections, eventSection(sortEvents(events.items), now)],
  };
}

type Describe = (object: AnyObject, now: number, api: Api) => Description | Promise<Description>;

/** Each knows what else it has to ask for. */
const describers: Readonly<Record<string, Describe>> = {
  [Pod.kind]: (object, now) => describePod(object as Pod, now),
  [Node.kind]: async (object, now, api) => {
    const { items } = await api.list<Pod>(onNode(object.metadata.name));
    return describeNode(object as Node, items, now);
  },
  [Deployment.kind]: async (object, now, api) => {
    const deployment = object as Deployment;
    const { namespace = '' } = deployment.metadata;
    const labelSelector = formatLabelSelector(deployment.spec.selector);
    const [sets, pods] = await Promise.all([
      replicaSetsOf(api, deployment),
      api.list<Pod>({ kind: Pod, namespace, labelSelector }),
    ]);
    return describeDeployment(deployment, { sets, pods: pods.items }, now);
  },
  [Service.kind]: async (object, _, api) => {
    const { name, namespace = '' } = object.metadata;
    const labelSelector = `kubernetes.io/service-name=${name}`;
    const slices = await api.list<EndpointSlice>({ kind: EndpointSlice, namespace, labelSelector });
    return describeService(object as Service, slices.items);
  },
  [Secret.kind]: (object) => describeAny(withoutValues(object as Secret)),
};

/** A Secret is described by its sizes. */
function withoutValues(secret: Secret): AnyObject {
  const sizes = Object.entries(secret.data ?? {}).map(
    ([key, value]) => [key, `${Buffer.from(value, 'base64').length} bytes`] as const,
  );
  return { ...secret, data: Object.fromEntries(sizes) } as AnyObject;
}
