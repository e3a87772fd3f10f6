import type { Rng } from '../../base/rng.ts';
import {
  type Reconciler,
  type RequeueAfter,
  runReconciler,
  type Settled,
  settled,
} from '../../base/run-reconciler.ts';
import type { Ledger, PodAssignment } from '../ledger/assignment.ts';
import type { ReportedStatus, StatusSource } from '../session/status-source.ts';
import { observePod } from './observe-pod.ts';
import type { PodContext } from './pod-context.ts';
import type { PodObservation } from './pod-observation.ts';
import { planPod } from './pod-plan.ts';
import { endBackground, newRecord, type PodRecord } from './pod-record.ts';
import { podStatus } from './pod-status.ts';
import { applyPodAction } from './pod-steps.ts';
import { superviseProbes } from './supervise-probes.ts';

/** Steps of one pass, so that a plan that never settles can't keep a worker for itself. */
const stepsPerPass = 50;
/** Even if nobody wakes it, a pod is looked at this often. */
const resyncMs = 60_000;

export interface PodWorkersOptions extends Omit<PodContext, 'wake' | 'network'> {
  readonly ledger: Ledger;
  readonly rng: Rng;
  /** Pods worked on at the same time. */
  readonly workers: number;
}

export interface PodWorkers extends StatusSource {
  stop(): Promise<void>;
}

/** One worker per pod: observe → plan → apply → report, whenever something about the pod changes. */
export async function startPodWorkers(options: PodWorkersOptions): Promise<PodWorkers> {
  const { ledger, ports, clock, rng, log } = options;
  const records = new Map<string, PodRecord>();
  const reports = statusBoard();
  const context: PodContext = {
    ...options,
    network: () => ledger.network(),
    wake: (uid) => reconciler.wake(uid),
  };
  const reconciler: Reconciler<string> = runReconciler({
    name: 'pods',
    reconcile: (uid, signal) => passOver({ uid, signal }, { context, ledger, records, reports }),
    workers: options.workers,
    backoff: { firstMs: 200, capMs: 30_000 },
    clock,
    rng,
    log,
  });
  const unsubscribe = ledger.onChange((changed) => {
    if (changed !== 'network') reconciler.wake(changed);
  });
  ports.containers.onChange((uid) => reconciler.wake(uid));
  for (const uid of await everyPodThereIs(options)) reconciler.wake(uid);
  return {
    statuses: reports.statuses,
    onChange: reports.onChange,
    async stop() {
      unsubscribe();
      await reconciler.stop();
      for (const record of records.values()) endBackground(record);
    },
  };
}

/** Assigned, or left over from before: every one needs a look after a start. */
async function everyPodThereIs({ ledger, ports }: PodWorkersOptions): Promise<Set<string>> {
  const [sandboxes, networks, volumes] = await Promise.all([
    ports.sandboxes.list(),
    ports.network.list(),
    ports.volumes.list(),
  ]);
  return new Set([
    ...ledger.pods().keys(),
    ...sandboxes.map((s) => s.uid),
    ...networks.map((n) => n.uid),
    ...volumes,
  ]);
}

interface Shared {
  readonly context: PodContext;
  readonly ledger: Ledger;
  readonly records: Map<string, PodRecord>;
  readonly reports: StatusBoard;
}

async function passOver(
  { uid, signal }: { readonly uid: string; readonly signal: AbortSignal },
  { context, ledger, records, reports }: Shared,
): Promise<Settled | RequeueAfter> {
  const record = records.get(uid) ?? newRecord(uid, context.clock.now());
  records.set(uid, record);
  for (let step = 0; step < stepsPerPass; step++) {
    const assignment = ledger.pods().get(uid);
    const observed = await observePod(record, assignment, context.ports);
    superviseProbes({ record, assignment, observed, signal }, context);
    const now = context.clock.now();
    const plan = planPod(assignment, observed, now);
    report({ assignment, record, observed, gone: plan.length === 0 }, context, reports);
    const steps = plan.filter((action) => action.kind !== 'wait');
    if (steps.length === 0) {
      if (assignment !== undefined || plan.length > 0) return nextLook(plan, now);
      endBackground(record);
      records.delete(uid);
      return settled;
    }
    for (const action of steps) {
      await applyPodAction(action, { record, assignment, observed, signal }, context);
    }
    signal.throwIfAborted();
  }
  return { requeueAfterMs: 0 };
}

function nextLook(plan: ReturnType<typeof planPod>, now: number): RequeueAfter {
  const dueMs = plan.flatMap((a) => (a.kind === 'wait' ? [Math.max(0, a.untilMs - now)] : []));
  return { requeueAfterMs: Math.min(resyncMs, ...dueMs) };
}

function report(
  found: {
    readonly assignment: PodAssignment | undefined;
    readonly record: PodRecord;
    readonly observed: PodObservation;
    /** Nothing is left to do: for a pod that is to end, nothing is left of it. */
    readonly gone: boolean;
  },
  { clock, hostIp }: PodContext,
  reports: StatusBoard,
): void {
  const { assignment, record, observed, gone } = found;
  if (assignment === undefined) return reports.set(record.uid, undefined);
  const { pod, uid, generation } = assignment;
  const status = podStatus({
    pod,
    observed,
    hostIp,
    startedAtMs: record.startedAtMs,
    now: clock.now(),
    previous: record.status,
  });
  record.status = status;
  const { namespace = '', name } = pod.metadata;
  const terminated = pod.metadata.deletionTimestamp !== undefined && gone;
  reports.set(uid, { uid, namespace, name, generation, status, terminated });
}

interface StatusBoard extends StatusSource {
  set(uid: string, report: ReportedStatus | undefined): void;
}

function statusBoard(): StatusBoard {
  const reports = new Map<string, ReportedStatus>();
  const shown = new Map<string, string>();
  const listeners = new Set<(uid: string) => void>();
  return {
    statuses: () => reports,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    set(uid, report) {
      const text = report && JSON.stringify(report);
      if (shown.get(uid) === text) return;
      if (report && text) {
        reports.set(uid, report);
        shown.set(uid, text);
      } else {
        reports.delete(uid);
        shown.delete(uid);
      }
      for (const listener of listeners) listener(uid);
    },
  };
}
