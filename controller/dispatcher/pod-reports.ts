import { checkShape } from '../../api/check-shape.ts';
import { fieldPath } from '../../api/field-error.ts';
import type { PodReport } from '../../api/generated/agent.ts';
import { Pod } from '../../api/pod.ts';
import { type PodStatus, podStatusFields } from '../../api/pod-status.ts';
import { obj } from '../../api/schema.ts';
import { StatusError } from '../../api/status.ts';
import type { Log } from '../../base/log.ts';
import type { Cache } from '../store/cache.ts';
import type { Objects } from '../store/objects.ts';

export interface PodReports {
  /** Writes what a node says of a pod that is bound to it. 'unknown': it is no pod of this node. */
  take(nodeName: string, report: PodReport): 'taken' | 'unknown';
  /** Resolves when nothing is being written. */
  idle(): Promise<void>;
}

export interface PodReportsDeps {
  readonly objects: Objects;
  readonly cache: Cache;
  readonly log: Log;
}

/** Per pod one write at a time; of what arrives meanwhile only the newest is written. */
export function podReports(deps: PodReportsDeps): PodReports {
  const newest = new Map<string, PodReport>();
  const writing = new Map<string, Promise<void>>();

  const work = async (nodeName: string, uid: string) => {
    for (let report = newest.get(uid); report; report = newest.get(uid)) {
      newest.delete(uid);
      await write(deps, nodeName, report);
    }
    writing.delete(uid);
  };

  return {
    take(nodeName, report) {
      const pod = deps.cache.get(Pod, keyOf(report));
      if (pod?.metadata.uid !== report.uid || pod.spec.nodeName !== nodeName) return 'unknown';
      newest.set(report.uid, report);
      if (!writing.has(report.uid)) writing.set(report.uid, work(nodeName, report.uid));
      return 'taken';
    },
    async idle() {
      while (writing.size > 0) await Promise.all(writing.values());
    },
  };
}

async function write(deps: PodReportsDeps, nodeName: string, report: PodReport): Promise<void> {
  const fields = { component: 'dispatcher', node: nodeName, uid: report.uid, pod: report.name };
  try {
    const status = parseStatus(report.statusJson);
    if (report.terminated && (await removeIfDeleted(deps, report))) return;
    const target = { key: keyOf(report), part: 'status' as const };
    await deps.objects.modify(Pod, target, (pod) => {
      const isOurs = pod.metadata.uid === report.uid && pod.spec.nodeName === nodeName;
      return isOurs ? { ...pod, status: mergedStatus(pod.status, status) } : undefined;
    });
  } catch (err) {
    deps.log.warn({ err, ...fields }, 'status of a pod not written');
  }
}

const keyOf = ({ namespace, name }: PodReport) => ({ namespace, name });

const statusSchema = obj(podStatusFields);

/** What a node sends is held against the schema like everything from outside. */
function parseStatus(json: string): PodStatus {
  const status: unknown = JSON.parse(json);
  const [error] = checkShape(statusSchema, status, fieldPath('status'));
  if (error) throw new StatusError('BadRequest', `${error.path}: ${error.message}`);
  return status as PodStatus;
}

/** Asked of the store: a deletion that the cache hasn't seen yet must not be missed. */
async function removeIfDeleted({ objects }: PodReportsDeps, report: PodReport): Promise<boolean> {
  const pod = await objects.get(Pod, keyOf(report));
  if (pod?.metadata.uid !== report.uid || !pod.metadata.deletionTimestamp) return false;
  await objects.delete(Pod, keyOf(report), {
    gracePeriodSeconds: 0,
    preconditions: { uid: report.uid },
  });
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
