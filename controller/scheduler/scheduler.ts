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
import { onlyThis } from '../store/preconditions.ts';
import { planPreemption } from './preempt.ts';
import { explainRefusals, schedule } from './schedule.ts';
import { assume, priorityOf, takeSnapshot } from './snapshot.ts';

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
    .toSorted(byPriority);
  if (waiting.length === 0) return;
  let snapshot = takeSnapshot(cache.list(Node), (node) => cache.byIndex(podsByNode, node));
  const writes: Promise<void>[] = [];
  for (const pod of waiting) {
    const handler = runtimeHandlerOf(pod, cache);
    const decision = schedule(pod, snapshot, handler);
    if ('node' in decision) {
      snapshot = assume(snapshot, pod, decision.node);
      writes.push(bind(deps, pod, decision.node));
      continue;
    }
    const { node, victims = [] } = planPreemption(pod, snapshot, handler) ?? {};
    // What is less important finds the room taken that is being made.
    if (node !== undefined) snapshot = assume(snapshot, pod, node);
    const message = explainRefusals(decision.unschedulable);
    writes.push(refuse(deps, pod, { message, nominatedNodeName: node }));
    writes.push(...victims.map((victim) => preempt(deps, victim, pod)));
  }
  await Promise.all(writes);
}

function byPriority(one: Pod, other: Pod): number {
  if (priorityOf(one) !== priorityOf(other)) return priorityOf(other) - priorityOf(one);
  const [a, b] = [one.metadata, other.metadata];
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

async function refuse(
  deps: LoopDeps,
  pod: Pod,
  { message, nominatedNodeName }: { message: string; nominatedNodeName: string | undefined },
): Promise<void> {
  const known = conditionOf(pod, 'PodScheduled');
  const isKnown = known?.status === 'False' && known.message === message;
  if (isKnown && pod.status.nominatedNodeName === nominatedNodeName) return;
  const said = { status: 'False', reason: 'Unschedulable', message } as const;
  if (!(await write(deps, scheduled(deps, pod, { ...said, nominatedNodeName })))) return;
  deps.events.warning(pod, 'FailedScheduling', message);
}

/** Ends with its own grace; once it is gone this loop is woken. */
async function preempt(deps: LoopDeps, victim: Pod, pod: Pod): Promise<void> {
  if (victim.metadata.deletionTimestamp !== undefined) return;
  await deps.objects.delete(Pod, keyOf(victim), onlyThis(victim));
  const message = `Preempted by pod ${pod.metadata.uid} on node ${victim.spec.nodeName}`;
  deps.events.normal(victim, 'Preempted', message);
}

type Said = Omit<PodCondition, 'type'> & { readonly nominatedNodeName?: string | undefined };

/** PodScheduled and nominatedNodeName have no other writer. */
function scheduled({ clock }: LoopDeps, pod: Pod, { nominatedNodeName, ...said }: Said): Pod {
  const condition = { type: 'PodScheduled', ...said };
  const conditions = withCondition(pod.status.conditions, condition, formatTime(clock.now()));
  return { ...pod, status: { ...pod.status, conditions, nominatedNodeName } };
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
