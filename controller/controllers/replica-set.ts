import { conditionOf, withCondition } from '../../api/condition.ts';
import type { FieldsOf, NewObject } from '../../api/kind.ts';
import { Pod } from '../../api/pod.ts';
import { parseObject } from '../../api/prepare.ts';
import { ReplicaSet } from '../../api/replica-set.ts';
import { ResourceQuota } from '../../api/resource-quota.ts';
import { invalid } from '../../api/status.ts';
import { formatTime } from '../../base/clock.ts';
import { errorChain } from '../../base/error-chain.ts';
import { isNamespaceOpen } from '../store/deletion.ts';
import { formatKey, keyOf, parseKey } from '../store/keys.ts';
import type { Loop, LoopDeps } from '../store/loop.ts';
import type { Cache, ObjectChange } from '../store/objects.ts';
import { onlyThis } from '../store/preconditions.ts';
import { byController, concernedOwners, controllerReference, takeOwnership } from './ownership.ts';
import { planReplicaSet, type ReplicaSetPlan } from './replica-set-plan.ts';

export const podsByController = byController(Pod);

/** Keeps as many pods as a ReplicaSet asks for. */
export const replicaSetLoop: Loop = { name: 'replicaset-controller', workers: 8, wakes, reconcile };

function wakes(change: ObjectChange, cache: Cache): readonly string[] {
  if (change.kind === ReplicaSet) return [formatKey(change.key)];
  if (change.kind === ResourceQuota) return refused(cache, change.key.namespace);
  return change.kind === Pod ? concernedOwners(ReplicaSet, change, cache) : [];
}

/** There may be room for their pods now. */
const refused = (cache: Cache, namespace: string): readonly string[] =>
  cache
    .list(ReplicaSet, namespace)
    .filter((replicaSet) => conditionOf(replicaSet, 'ReplicaFailure'))
    .map((replicaSet) => formatKey(keyOf(replicaSet)));

async function reconcile(key: string, deps: LoopDeps) {
  const { cache, clock } = deps;
  const replicaSet = cache.get(ReplicaSet, parseKey(key));
  if (!replicaSet) return;
  const ownership = await takeOwnership(deps, podsByController, replicaSet);
  const pods = [...ownership.kept, ...ownership.adopted];
  const mayCreate = isNamespaceOpen(cache, replicaSet.metadata.namespace ?? '');
  const plan = planReplicaSet({ replicaSet, pods, mayCreate, now: clock.now() });
  const failure = await applyPlan(deps, replicaSet, plan);
  await writeStatus(deps, replicaSet, { plan, failure });
  if (failure !== undefined) throw failure;
  return plan.requeueAfterMs;
}

/** Returns the failure instead of throwing it: the status tells of it too. */
async function applyPlan(deps: LoopDeps, replicaSet: ReplicaSet, plan: ReplicaSetPlan) {
  try {
    await createPods(deps, replicaSet, plan.create);
    await Promise.all(plan.remove.map((pod) => removePod(deps, replicaSet, pod)));
  } catch (error) {
    deps.events.warning(replicaSet, failureReason(plan), errorChain(error));
    return error;
  }
  return undefined;
}

const failureReason = ({ create }: ReplicaSetPlan) =>
  create > 0 ? 'FailedCreate' : 'FailedDelete';

/** One, then two, then four …: if none can be created, not hundreds of attempts say so. */
async function createPods(deps: LoopDeps, replicaSet: ReplicaSet, count: number): Promise<void> {
  for (let created = 0, batch = 1; created < count; batch *= 2) {
    deps.signal.throwIfAborted();
    const size = Math.min(batch, count - created);
    await Promise.all(Array.from({ length: size }, () => createPod(deps, replicaSet)));
    created += size;
  }
}

async function createPod(deps: LoopDeps, replicaSet: ReplicaSet): Promise<void> {
  const pod = await deps.objects.create(Pod, newPod(replicaSet));
  deps.events.normal(replicaSet, 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
}

/** Through the same defaults and checks as a pod that a user sends. */
function newPod(replicaSet: ReplicaSet): NewObject<FieldsOf<typeof Pod>> {
  const { labels, annotations, finalizers } = replicaSet.spec.template.metadata;
  const parsed = parseObject(Pod, {
    metadata: {
      generateName: `${replicaSet.metadata.name}-`,
      namespace: replicaSet.metadata.namespace,
      labels,
      annotations,
      finalizers,
      ownerReferences: [controllerReference(replicaSet)],
    },
    spec: replicaSet.spec.template.spec,
  });
  if ('errors' in parsed) throw invalid(Pod, `${replicaSet.metadata.name}-`, parsed.errors);
  return parsed.object;
}

async function removePod(deps: LoopDeps, replicaSet: ReplicaSet, pod: Pod): Promise<void> {
  await deps.objects.delete(Pod, keyOf(pod), onlyThis(pod));
  deps.events.normal(replicaSet, 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`);
}

async function writeStatus(
  { objects, clock }: LoopDeps,
  replicaSet: ReplicaSet,
  { plan, failure }: { readonly plan: ReplicaSetPlan; readonly failure: unknown },
): Promise<void> {
  const { conditions: before = [] } = replicaSet.status;
  const replicaFailure = {
    type: 'ReplicaFailure',
    status: 'True',
    reason: failureReason(plan),
    message: errorChain(failure),
  } as const;
  const conditions =
    failure === undefined
      ? before.filter(({ type }) => type !== 'ReplicaFailure')
      : withCondition(before, replicaFailure, formatTime(clock.now()));
  const { conditions: _, ...counts } = plan.status;
  const status = { ...counts, ...(conditions.length > 0 ? { conditions } : {}) };
  await objects.update(ReplicaSet, { ...replicaSet, status }, 'status');
}
