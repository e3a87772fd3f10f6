import type { Deployment } from '../api/deployment.ts';
import type { AnyObject } from '../api/kind.ts';
import { Pod } from '../api/pod.ts';
import { isPodReady } from '../api/pod-facts.ts';
import { CliError } from './cli-error.ts';
import type { ApiClient } from './client.ts';
import { getObject, listObjects, type ObjectRef } from './resources.ts';

/** The label selector of whatever has pods: "app=web,tier in (a,b)". undefined: it has none. Pure. */
export function podSelectorOf({ spec }: AnyObject): string | undefined {
  const { selector } = (spec ?? {}) as { selector?: unknown };
  if (typeof selector !== 'object' || selector === null) return undefined;
  const { matchLabels, matchExpressions = [] } = selector as Partial<
    Deployment['spec']['selector']
  >;
  const isLabelSelector = matchLabels !== undefined || 'matchExpressions' in selector;
  const labels = isLabelSelector ? (matchLabels ?? {}) : (selector as Record<string, string>);
  const equal = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return [...equal, ...matchExpressions.map(requirement)].join(',');
}

type Requirement = NonNullable<Deployment['spec']['selector']['matchExpressions']>[number];

function requirement({ key, operator, values = [] }: Requirement): string {
  switch (operator) {
    case 'Exists':
      return key;
    case 'DoesNotExist':
      return `!${key}`;
    case 'In':
      return `${key} in (${values.join(',')})`;
    case 'NotIn':
      return `${key} notin (${values.join(',')})`;
  }
}

/** A pod by name; or one of those that a Deployment, ReplicaSet or Service has. Throws CliError, StatusError. */
export async function pickPod(client: ApiClient, ref: ObjectRef): Promise<Pod> {
  if (ref.kind.kind === Pod.kind) return getObject<Pod>(client, ref);
  const pods = await podsOf(client, ref);
  const best = [...pods].sort(byUsefulness)[0];
  if (best === undefined) throw new CliError(`${ref.kind.singular}/${ref.name} has no pods`);
  return best;
}

/** Throws CliError, StatusError. */
export async function podsOf(client: ApiClient, ref: ObjectRef): Promise<readonly Pod[]> {
  const owner = await getObject(client, ref);
  const labelSelector = podSelectorOf(owner);
  if (labelSelector === undefined || labelSelector === '')
    throw new CliError(`${ref.kind.singular}/${ref.name} selects no pods: name a pod instead`);
  const { namespace } = ref;
  return (await listObjects<Pod>(client, { kind: Pod, namespace, labelSelector })).items;
}

/** Ready ones first, then running ones; those that are going last. */
function byUsefulness(a: Pod, b: Pod): number {
  const rank = (pod: Pod) =>
    (pod.metadata.deletionTimestamp === undefined ? 0 : 4) +
    (pod.status.phase === 'Running' ? 0 : 2) +
    (isPodReady(pod) ? 0 : 1);
  return rank(a) - rank(b);
}
