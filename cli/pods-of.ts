import type { Container } from '../api/container.ts';
import type { Deployment } from '../api/deployment.ts';
import type { AnyObject } from '../api/kind.ts';
import { isObject } from '../api/normalize.ts';
import { Pod } from '../api/pod.ts';
import { everyContainer, isPodReady } from '../api/pod-facts.ts';
import { ReplicaSet } from '../api/replica-set.ts';
import { formatLabelSelector, type LabelSelector, type Labels } from '../api/selector.ts';
import { Service } from '../api/service.ts';
import { text } from '../base/flags.ts';
import type { Cli } from './cli.ts';
import { CliError } from './cli-error.ts';
import type { Api, ObjectRef, Selection } from './resources.ts';
import { refWithPods } from './targets.ts';

/** The label selector of whatever has pods: "app=web,tier in (a,b)". undefined: it has none. Pure. */
export function podSelectorOf({ kind, spec }: AnyObject): string | undefined {
  if (!isObject(spec) || !isObject(spec.selector)) return undefined;
  if (Object.keys(spec.selector).length === 0) return undefined;
  if (kind === Service.kind) return formatLabelSelector({ matchLabels: spec.selector as Labels });
  return formatLabelSelector(spec.selector as LabelSelector);
}

/** A pod by name; or one of those that a Deployment, ReplicaSet or Service has. Throws CliError, StatusError. */
export async function pickPod(api: Api, ref: ObjectRef): Promise<Pod> {
  if (ref.kind === Pod) return api.get<Pod>(ref);
  const { items } = await api.list<Pod>(await podSelection(api, ref));
  const [best] = items.toSorted((a, b) => uselessness(a) - uselessness(b));
  if (best === undefined) throw new CliError(`${ref.kind.singular}/${ref.name} has no pods`);
  return best;
}

export const containerFlag = text('name', 'which one (default: the first)').short('c');

/** Where a command shall run or be attached: "web-1", "deploy/web"; its container by name, or the pod's first. */
export async function pickContainer(cli: Cli, word: string, wanted: string | undefined) {
  const pod = await pickPod(cli.api, await refWithPods(cli, word));
  return { pod, container: containerOf(pod, wanted) };
}

export const podRef = ({ metadata: { name, namespace = '' } }: Pod): ObjectRef => ({
  ...{ kind: Pod, namespace, name },
});

/** The pods of a node. */
export const onNode = (node: string): Selection => ({
  ...{ kind: Pod, namespace: '', fieldSelector: `spec.nodeName=${node}` },
});

/** The usual ones first. */
export const containersOf = ({ spec }: Pod): readonly Container[] => everyContainer(spec);

/** The one that is wanted; else the first, unless the pod says another. Throws CliError with those that there are. */
export function containerOf(pod: Pod, wanted: string | undefined): string {
  const { metadata, spec } = pod;
  if (wanted === undefined) {
    const usual = metadata.annotations?.['kubectl.kubernetes.io/default-container'];
    return usual ?? spec.containers[0]?.name ?? '';
  }
  const names = containersOf(pod).map(({ name }) => name);
  if (names.includes(wanted)) return wanted;
  throw new CliError(
    `pod ${metadata.name} has no container "${wanted}"; it has ${names.join(', ')}`,
  );
}

/** Of the pods that something has. Throws CliError, StatusError. */
export async function podSelection(api: Api, ref: ObjectRef): Promise<Selection> {
  const labelSelector = podSelectorOf(await api.get(ref));
  if (labelSelector === undefined)
    throw new CliError(`${ref.kind.singular}/${ref.name} selects no pods: name a pod instead`);
  return { kind: Pod, namespace: ref.namespace, labelSelector };
}

/** Those that a Deployment controls. */
export async function replicaSetsOf(api: Api, { spec, metadata }: Deployment) {
  const { namespace = '', uid } = metadata;
  const labelSelector = formatLabelSelector(spec.selector);
  const { items } = await api.list<ReplicaSet>({ kind: ReplicaSet, namespace, labelSelector });
  return items.filter(({ metadata: { ownerReferences = [] } }) =>
    ownerReferences.some((owner) => owner.uid === uid),
  );
}

/** Ready ones first, then running ones; those that are going last. */
const uselessness = (pod: Pod): number =>
  (pod.metadata.deletionTimestamp === undefined ? 0 : 4) +
  (pod.status.phase === 'Running' ? 0 : 2) +
  (isPodReady(pod) ? 0 : 1);
