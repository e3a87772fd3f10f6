import { Deployment } from '../../api/deployment.ts';
import type { AnyObject } from '../../api/kind.ts';
import { Pod } from '../../api/pod.ts';
import { isPodFinished } from '../../api/pod-facts.ts';
import { ReplicaSet } from '../../api/replica-set.ts';
import { errorChain } from '../../base/error-chain.ts';
import { formatKey, keyOf, parseKey } from '../store/keys.ts';
import type { Loop, LoopDeps } from '../store/loop.ts';
import type { Cache, ObjectChange } from '../store/objects.ts';
import { onlyThis } from '../store/preconditions.ts';
import { type DeploymentPlan, planDeployment } from './deployment-plan.ts';
import { revisionAnnotation } from './deployment-sets.ts';
import { byController, concernedOwners, controllerKey, takeOwnership } from './ownership.ts';
import { podsByController } from './replica-set.ts';

export const replicaSetsByController = byController(ReplicaSet);

/** Replaces a Deployment's pods step by step when its template changes. */
export const deploymentLoop: Loop = { name: 'deployment-controller', workers: 8, wakes, reconcile };

function wakes(change: ObjectChange, cache: Cache): readonly string[] {
  if (change.kind === Deployment) return [formatKey(change.key)];
  if (change.kind === ReplicaSet) return concernedOwners(Deployment, change, cache);
  // Recreate waits for the last pod of the old ReplicaSets.
  if (change.kind === Pod && !change.object) return deploymentOf(change.previous, cache);
  return [];
}

const deploymentOf = (pod: AnyObject | undefined, cache: Cache): readonly string[] =>
  controllerKey(ReplicaSet, pod).flatMap((key) =>
    controllerKey(Deployment, cache.get(ReplicaSet, parseKey(key))),
  );

async function reconcile(key: string, deps: LoopDeps) {
  const { cache, clock } = deps;
  const deployment = cache.get(Deployment, parseKey(key));
  if (!deployment || deployment.metadata.deletionTimestamp) return;
  const ownership = await takeOwnership(deps, replicaSetsByController, deployment);
  if (ownership.adopted.length > 0) return 0;
  const plan = planDeployment({
    deployment,
    sets: ownership.kept,
    runningPods: (set) => runningPods(cache, set),
    now: clock.now(),
  });
  await applyPlan(deps, deployment, plan);
  return plan.requeueAfterMs;
}

const runningPods = (cache: Cache, set: ReplicaSet): number =>
  cache.byIndex(podsByController, set.metadata.uid).filter((pod) => !isPodFinished(pod)).length;

async function applyPlan(deps: LoopDeps, deployment: Deployment, plan: DeploymentPlan) {
  const { objects, cache, events } = deps;
  const tellOfScaling = ({ metadata: { name }, spec: { replicas: to } }: ReplicaSet, from = 0) => {
    if (to === from) return;
    const how = `${to > from ? 'up' : 'down'} replica set ${name} from ${from} to ${to}`;
    events.normal(deployment, 'ScalingReplicaSet', `Scaled ${how}`);
  };
  if (plan.create) tellOfScaling(await createSet(deps, deployment, plan.create));
  for (const set of plan.update) {
    const before = cache.get(ReplicaSet, keyOf(set));
    await objects.update(ReplicaSet, set, 'main');
    tellOfScaling(set, before?.spec.replicas);
  }
  for (const set of plan.remove) await objects.delete(ReplicaSet, keyOf(set), onlyThis(set));
  const current = await writeRevision(deps, deployment, plan.revision);
  await objects.update(Deployment, { ...current, status: plan.status }, 'status');
}

async function createSet(
  { objects, events }: LoopDeps,
  deployment: Deployment,
  set: NonNullable<DeploymentPlan['create']>,
): Promise<ReplicaSet> {
  try {
    return await objects.create(ReplicaSet, set);
  } catch (error) {
    const what = `Failed to create new replica set "${set.metadata.name}"`;
    events.warning(deployment, 'ReplicaSetCreateError', `${what}: ${errorChain(error)}`);
    throw error;
  }
}

async function writeRevision({ objects }: LoopDeps, deployment: Deployment, revision?: number) {
  const { metadata } = deployment;
  if (revision === undefined || metadata.annotations?.[revisionAnnotation] === String(revision))
    return deployment;
  const annotations = { ...metadata.annotations, [revisionAnnotation]: String(revision) };
  const annotated = { ...deployment, metadata: { ...metadata, annotations } };
  return objects.update(Deployment, annotated, 'main');
}
