import { isDeepStrictEqual } from 'node:util';
import { compareGenerations, type Generation } from '../../api/generation.ts';
import type { NetworkTable, UserNamespaceRange } from '../ports.ts';
import type { LedgerChange, NewAssignment, PodAssignment } from './assignment.ts';
import { nextUserNamespace } from './user-namespaces.ts';

/** All that a ledger knows; never changed, only replaced. */
export interface Assignments {
  readonly pods: ReadonlyMap<string, PodAssignment>;
  readonly network: NetworkTable | undefined;
  readonly generation: Generation | undefined;
  /** First id of the range that was given out last. */
  readonly lastFirstId: number | undefined;
}

export const noAssignments: Assignments = {
  pods: new Map(),
  network: undefined,
  generation: undefined,
  lastFirstId: undefined,
};

/** What the ledger knows after a change; undefined: the change is stale. Pure. Entries that stay alike stay the same. */
export function nextAssignments(now: Assignments, change: LedgerChange): Assignments | undefined {
  if (now.generation && compareGenerations(change.generation, now.generation) < 0) return undefined;
  const next = { ...now, generation: change.generation };
  switch (change.kind) {
    case 'snapshot':
      return { ...withSnapshot(next, change), network: same(now.network, change.network) };
    case 'network':
      return { ...next, network: same(now.network, change.network) };
    case 'remove':
      return now.pods.has(change.uid) ? { ...next, pods: without(now.pods, change.uid) } : next;
    case 'assign':
      return withPod(next, change.pod, change.generation);
  }
}

function withSnapshot(
  now: Assignments,
  { pods, generation }: Extract<LedgerChange, { kind: 'snapshot' }>,
): Assignments {
  const wanted = new Set(pods.map(({ uid }) => uid));
  const kept = new Map([...now.pods].filter(([uid]) => wanted.has(uid)));
  return pods.reduce<Assignments>((state, pod) => withPod(state, pod, generation), {
    ...now,
    pods: kept,
  });
}

function withPod(now: Assignments, pod: NewAssignment, generation: Generation): Assignments {
  const known = now.pods.get(pod.uid);
  if (known && isSame(known, pod)) return now;
  const userNamespace = userNamespaceOf(now, pod, known);
  const pods = new Map(now.pods).set(pod.uid, { ...pod, generation, userNamespace });
  return { ...now, pods, lastFirstId: userNamespace?.firstId ?? now.lastFirstId };
}

/** Fixed for the pod's life, like everything in its spec that it comes from. */
function userNamespaceOf(
  now: Assignments,
  { pod }: NewAssignment,
  known: PodAssignment | undefined,
): UserNamespaceRange | undefined {
  if (known) return known.userNamespace;
  if (pod.spec.hostUsers === true) return undefined;
  const taken = [...now.pods.values()].flatMap((p) => p.userNamespace?.firstId ?? []);
  return nextUserNamespace(new Set(taken), now.lastFirstId);
}

function isSame(known: PodAssignment, next: NewAssignment): boolean {
  const { generation: _, userNamespace: _u, ...same } = known;
  return isDeepStrictEqual(same, { ...next });
}

const same = <T>(now: T | undefined, next: T): T =>
  now !== undefined && isDeepStrictEqual(now, next) ? now : next;

const without = <K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> => {
  const rest = new Map(map);
  rest.delete(key);
  return rest;
};
