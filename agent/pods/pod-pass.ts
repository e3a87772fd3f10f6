import { type RequeueAfter, type Settled, settled } from '../../base/run-reconciler.ts';
import type { Ledger } from '../ledger/assignment.ts';
import { observePod } from './observe-pod.ts';
import type { PodAction } from './pod-action.ts';
import { tellBackOff } from './pod-back-off.ts';
import type { PodContext, PodPass } from './pod-context.ts';
import { keepMemory } from './pod-memory.ts';
import { isGone } from './pod-observation.ts';
import { hasItsLastWord, isDeleted, planPod } from './pod-plan.ts';
import { endBackground, endPulls, type PodRecord, retryWhatWaited } from './pod-record.ts';
import { podStatus } from './pod-status.ts';
import { applyPodAction } from './pod-steps.ts';
import { recallPod } from './recall-pod.ts';
import type { StatusBoard } from './status-board.ts';
import { superviseProbes } from './supervise-probes.ts';

/** Steps of one pass, so that a plan that never settles can't keep a worker for itself. */
const stepsPerPass = 50;
/** Even if nobody wakes it, a pod is looked at this often. */
const resyncMs = 60_000;

export interface PassDeps {
  readonly context: PodContext;
  readonly ledger: Ledger;
  readonly records: Map<string, PodRecord>;
  readonly board: StatusBoard;
}

/** Brings one pod as far as it gets without waiting: observe → plan → report → apply, until there is nothing to do. */
export async function passOver(
  uid: string,
  signal: AbortSignal,
  deps: PassDeps,
): Promise<Settled | RequeueAfter> {
  const { context, ledger, records } = deps;
  const record = records.get(uid) ?? (await recallPod(uid, ledger.pods().get(uid), context));
  records.set(uid, record);
  for (let step = 0; step < stepsPerPass; step++) {
    const pass = await lookAt(record, signal, deps);
    const now = context.clock.now();
    const plan = planPod(pass.assignment, pass.observed, now);
    const steps = plan.filter((action) => action.kind !== 'wait');
    // What lies between is over sooner than it could be told: each report is a write to the store.
    if (step === 0 || steps.length === 0) report(pass, deps);
    for (const action of plan) if (action.kind === 'wait') tellBackOff(action, pass, context);
    if (steps.length === 0) return rest(pass, { plan, now }, deps);
    await applyAll(steps, pass, context);
  }
  return { requeueAfterMs: 0 };
}

async function lookAt(
  record: PodRecord,
  signal: AbortSignal,
  { context, ledger }: PassDeps,
): Promise<PodPass> {
  const assignment = ledger.pods().get(record.uid);
  if (!assignment || isDeleted(assignment.pod)) endPulls(record);
  else retryWhatWaited(record, assignment);
  const observed = await observePod(record, assignment, context.ports);
  const pass = { record, assignment, observed, signal };
  superviseProbes(pass, context);
  return pass;
}

/** Each step runs even if one before it failed, so that one stuck piece doesn't keep the others. */
async function applyAll(
  steps: readonly PodAction[],
  pass: PodPass,
  context: PodContext,
): Promise<void> {
  const errors: unknown[] = [];
  for (const action of steps) {
    pass.signal.throwIfAborted();
    await applyPodAction(action, pass, context).catch((error: unknown) => errors.push(error));
  }
  await keepMemory(pass.record, context.memories);
  pass.signal.throwIfAborted();
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, 'several steps failed');
}

async function rest(
  { record, assignment, observed }: PodPass,
  { plan, now }: { readonly plan: readonly PodAction[]; readonly now: number },
  { records, context }: PassDeps,
): Promise<Settled | RequeueAfter> {
  if (assignment === undefined && isGone(observed)) {
    endBackground(record);
    records.delete(record.uid);
    await context.memories.remove(record.uid);
    return settled;
  }
  await keepMemory(record, context.memories);
  const dueMs = plan.flatMap((a) => (a.kind === 'wait' ? [Math.max(0, a.untilMs - now)] : []));
  return { requeueAfterMs: Math.min(resyncMs, ...dueMs) };
}

function report({ assignment, record, observed }: PodPass, { context, board }: PassDeps): void {
  if (assignment === undefined) {
    board.set(record.uid, undefined);
    return;
  }
  const { pod, uid, generation } = assignment;
  const terminated = isDeleted(pod) && isGone(observed);
  // What an earlier agent said of the end is better than what can be told from what is left of the pod.
  if (hasItsLastWord(pod) && record.status === undefined && !terminated) return;
  record.status = podStatus({
    pod,
    observed,
    hostIp: context.hostIp,
    startedAtMs: record.startedAtMs,
    now: context.clock.now(),
    previous: record.status?.conditions ?? record.conditionsBefore,
  });
  const { namespace = '', name } = pod.metadata;
  board.set(uid, { uid, namespace, name, generation, status: record.status, terminated });
}
