import { checkShape } from '../../api/check-shape.ts';
import { fieldPath } from '../../api/field-error.ts';
import type { PodReport } from '../../api/generated/agent.ts';
import { Pod } from '../../api/pod.ts';
import { type PodStatus, podStatusFields } from '../../api/pod-status.ts';
import { obj } from '../../api/schema.ts';
import type { Base } from '../../base/base.ts';
import { parseJson } from '../../base/json-text.ts';
import { runReconciler } from '../../base/run-reconciler.ts';
import type { LoopDeps } from '../store/loop.ts';
import { onlyThis } from '../store/preconditions.ts';

type PodReportsDeps = Pick<LoopDeps, 'objects' | 'cache' | keyof Base>;

/** Their writes share commits. */
const workers = 64;
const backoff = { firstMs: 100, capMs: 10_000 };

type NewestReport = Readonly<{ nodeName: string; report: PodReport }>;

export type PodReports = ReturnType<typeof podReports>;

/**
 * Per pod one write at a time; of what arrives meanwhile only the newest is written. What can't be written is tried
 * again: the node says nothing twice while the link lasts.
 */
export function podReports(deps: PodReportsDeps) {
  const newest = new Map<string, NewestReport>();
  const writer = runReconciler<string>({
    ...{ ...deps, name: 'pod-reports', workers, backoff },
    async reconcile(uid) {
      const taken = newest.get(uid);
      if (taken) await write(deps, taken);
      if (newest.get(uid) === taken) newest.delete(uid);
    },
  });

  return {
    /** Writes what a node says of a pod that is bound to it. 'unknown': it is no pod of this node. */
    take(nodeName: string, report: PodReport) {
      const pod = deps.cache.get(Pod, keyOf(report));
      if (pod?.metadata.uid !== report.uid || pod.spec.nodeName !== nodeName) return 'unknown';
      newest.set(report.uid, { nodeName, report });
      writer.wake(report.uid);
      return 'taken';
    },
    /** Resolves when nothing is being written. */
    stop: () => writer.stop(),
  };
}

async function write(deps: PodReportsDeps, { nodeName, report }: NewestReport): Promise<void> {
  const status = parseStatus(deps, report);
  if (!status || (report.terminated && (await removeIfDeleted(deps, report)))) return;
  const target = { key: keyOf(report), part: 'status' as const };
  await deps.objects.modify(Pod, target, (pod) => {
    const isOurs = pod.metadata.uid === report.uid && pod.spec.nodeName === nodeName;
    return isOurs ? { ...pod, status: mergedStatus(pod.status, status) } : undefined;
  });
}

const keyOf = ({ namespace, name }: PodReport) => ({ namespace, name });

const statusSchema = obj(podStatusFields);

/** What a node sends is held against the schema like everything from outside; undefined: it is nonsense. */
function parseStatus({ log }: PodReportsDeps, report: PodReport): PodStatus | undefined {
  const status = parseJson(report.statusJson);
  const [error] = checkShape(statusSchema, status, fieldPath('status'));
  if (!error) return status as PodStatus;
  const { uid, name: pod } = report;
  const reason = `${error.path}: ${error.message}`;
  log.warn({ component: 'dispatcher', uid, pod, reason }, 'status of a pod refused');
  return undefined;
}

/** Asked of the store: a deletion that the cache hasn't seen yet must not be missed. */
async function removeIfDeleted({ objects }: PodReportsDeps, report: PodReport): Promise<boolean> {
  const pod = await objects.get(Pod, keyOf(report));
  if (pod?.metadata.uid !== report.uid || !pod.metadata.deletionTimestamp) return false;
  await objects.delete(Pod, keyOf(report), { gracePeriodSeconds: 0, ...onlyThis(pod) });
  return true;
}

/** The scheduler's condition and what was computed at creation are not the node's to write. */
function mergedStatus(stored: PodStatus, reported: PodStatus): PodStatus {
  const scheduled = (stored.conditions ?? []).filter(({ type }) => type === 'PodScheduled');
  const own = (reported.conditions ?? []).filter(({ type }) => type !== 'PodScheduled');
  const { qosClass, nominatedNodeName } = stored;
  return {
    ...reported,
    conditions: [...scheduled, ...own],
    ...(qosClass === undefined ? {} : { qosClass }),
    ...(nominatedNodeName === undefined ? {} : { nominatedNodeName }),
  };
}
