import { conditionOf, withCondition } from '../../api/condition.ts';
import { Node } from '../../api/node.ts';
import { Pod } from '../../api/pod.ts';
import type { PodCondition } from '../../api/pod-status.ts';
import { hasReason } from '../../api/status.ts';
import { formatTime } from '../../base/clock.ts';
import { runtimeHandlerOf } from '../runtime-class.ts';
import { podsByNode } from '../store/indexes.ts';
import { formatKey, keyOf } from '../store/keys.ts';
import type { Loop, LoopDeps } from '../store/loop.ts';
import type { ObjectChange } from '../store/objects.ts';
import { explainRefusals, schedule } from './schedule.ts';
import { assume, takeSnapshot } from './snapshot.ts';

/** There is one key: all waiting pods are placed together on one snapshot, each seeing the ones before it. */
const everything = 'all';

/** Binds pods to nodes. */
export const schedulerLoop: Loop = { name: 'default-scheduler', workers: 1, wakes, reconcile };

/** A pod to place, or room: a node that changed, a pod that went or ended. */
function wakes({ kind, object }: ObjectChange): readonly string[] {
  if (kind === Node) return [everything];
  if (kind !== Pod) return [];
  const pod = object as Pod | undefined;
  const phase = pod?.status.phase;
  const isWaiting = pod !== undefined && !pod.spec.nodeName;
  return !pod || isWaiting || phase === 'Succeeded' || phase === 'Failed' ? [everything] : [];
}

async function reconcile(_: string, deps: LoopDeps): Promise<void> {
  const { cache } = deps;
  const waiting = cache
    .byIndex(podsByNode, '')
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .toSorted(byAge);
  if (waiting.length === 0) return;
  let snapshot = takeSnapshot(cache.list(Node), (node) => cache.byIndex(podsByNode, node));
  const writes: Promise<void>[] = [];
  for (const pod of waiting) {
    const decision = schedule(pod, snapshot, runtimeHandlerOf(pod, cache));
    if ('node' in decision) {
      snapshot = assume(snapshot, pod, decision.node);
      writes.push(bind(deps, pod, decision.node));
    } else writes.push(refuse(deps, pod, explainRefusals(decision.unschedulable)));
  }
  await Promise.all(writes);
}

function byAge({ metadata: a }: Pod, { metadata: b }: Pod): number {
  if (a.creationTimestamp !== b.creationTimestamp)
    return a.creationTimestamp < b.creationTimestamp ? -1 : 1;
  return Number(a.resourceVersion) - Number(b.resourceVersion);
}

async function bind(deps: LoopDeps, pod: Pod, nodeName: string): Promise<void> {
  const spec = { ...pod.spec, nodeName };
  if (!(await write(deps, { ...scheduled(deps, pod, { status: 'True' }), spec }))) return;
  const message = `Successfully assigned ${formatKey(keyOf(pod))} to ${nodeName}`;
  deps.events.normal(pod, 'Scheduled', message);
}

async function refuse(deps: LoopDeps, pod: Pod, message: string): Promise<void> {
  const known = conditionOf(pod, 'PodScheduled');
  if (known?.status === 'False' && known.message === message) return;
  const said = { status: 'False', reason: 'Unschedulable', message } as const;
  if (!(await write(deps, scheduled(deps, pod, said)))) return;
  deps.events.warning(pod, 'FailedScheduling', message);
}

/** PodScheduled has no other writer. */
function scheduled({ clock }: LoopDeps, pod: Pod, said: Omit<PodCondition, 'type'>): Pod {
  const condition = { type: 'PodScheduled', ...said };
  const conditions = withCondition(pod.status.conditions, condition, formatTime(clock.now()));
  return { ...pod, status: { ...pod.status, conditions } };
}

/** False: the pod has changed meanwhile, which wakes this loop again. */
async function write({ objects }: LoopDeps, pod: Pod): Promise<boolean> {
  try {
    await objects.update(Pod, pod, 'all');
    return true;
  } catch (error) {
    if (!hasReason(error, 'Conflict', 'NotFound')) throw error;
    return false;
  }
}
