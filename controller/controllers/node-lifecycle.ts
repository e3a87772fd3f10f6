import { conditionOf } from '../../api/condition.ts';
import { Lease } from '../../api/lease.ts';
import { Node } from '../../api/node.ts';
import { Pod } from '../../api/pod.ts';
import { settled } from '../../base/run-reconciler.ts';
import type { ObjectChange } from '../store/cache.ts';
import { podsByNode } from '../store/indexes.ts';
import { formatKey, keyOf } from '../store/keys.ts';
import type { Loop, LoopDeps } from '../store/loop.ts';
import { type HeardNodes, heardNodes } from './heard-nodes.ts';
import { evictionTime, planNode, planPodReadiness, reconnectMs } from './node-lifecycle-plan.ts';

/** Where the nodes' leases are. */
const nodeLeaseNamespace = 'kube-node-lease';

/** Marks nodes that fall silent, and moves their pods on. The key is the node's name. */
export function nodeLifecycleLoop(): Loop {
  const ears: Ears = { heard: heardNodes(), isDeaf: deafness() };
  const reconcileNode = (name: string, deps: LoopDeps) => reconcile(name, deps, ears);
  return { name: 'node-controller', workers: 4, wakes, reconcile: reconcileNode };
}

function wakes({ kind, key, object, previous }: ObjectChange): readonly string[] {
  if (kind === Node) return [key.name];
  if (kind === Lease) return key.namespace === nodeLeaseNamespace ? [key.name] : [];
  if (kind !== Pod) return [];
  return [object as Pod | undefined, previous as Pod | undefined].flatMap(
    (pod) => pod?.spec.nodeName ?? [],
  );
}

interface Ears {
  readonly heard: HeardNodes;
  readonly isDeaf: (deps: LoopDeps) => boolean;
}

async function reconcile(name: string, deps: LoopDeps, { heard, isDeaf }: Ears) {
  const { cache, clock } = deps;
  const node = cache.get(Node, { namespace: '', name });
  const lease = cache.get(Lease, { namespace: nodeLeaseNamespace, name });
  const now = clock.now();
  const mayBeOurFault = isDeaf(deps);
  if (!node) return removeOldLease(lease, deps);
  const heardAt = heard.lastOf(name, lease, deps);
  const plan = planNode({ node, lease, heardAt, now, listeningSince: deps.runningSince });
  if (plan.node !== node)
    await writeNode(deps, { before: node, after: plan.node, isLost: plan.isLost });
  const pods = cache.byIndex(podsByNode, name);
  const isHeard = !plan.isLost && readiness(plan.node) === 'True';
  if (plan.isLost || isHeard)
    await Promise.all(pods.map((pod) => writeReadiness(deps, pod, plan.isLost)));
  // Heard again, but its Ready is not written yet: as good as ready.
  const isComingBack = !plan.isLost && readiness(plan.node) === 'Unknown';
  if (isComingBack || (plan.isLost && mayBeOurFault)) return { requeueAfterMs: deafRetryMs };
  const times = await Promise.all(pods.map((pod) => movePod({ deps, pod, ...plan, now })));
  const next = Math.min(...times, plan.nextCheckAt ?? Number.POSITIVE_INFINITY);
  return Number.isFinite(next) ? { requeueAfterMs: Math.max(1, next - clock.now()) } : settled;
}

/** A node that joins or comes back has its lease before it has its Node. */
const leaseWithoutNodeMs = 10_000;

async function removeOldLease(lease: Lease | undefined, { objects, clock }: LoopDeps) {
  if (!lease) return settled;
  const restMs = Date.parse(lease.spec.renewTime ?? '') + leaseWithoutNodeMs - clock.now();
  if (restMs > 0) return { requeueAfterMs: Math.min(restMs, leaseWithoutNodeMs) };
  await objects.delete(Lease, keyOf(lease), { preconditions: { uid: lease.metadata.uid } });
  return settled;
}

/** Every node's lease is renewed every two seconds: with one node alone that is how long nothing happens here. */
const standstillMs = 3000;

/**
 * When all nodes are silent at once, it is rather the controller that hears nothing (a switch that restarts), and there
 * is no node that evicted pods could go to. When the first is back, the others are on their way. The same when this
 * process has stood still: what came meanwhile is yet to be read.
 */
function deafness(): Ears['isDeaf'] {
  let [lastAt, calledAt] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  return ({ cache, clock }) => {
    const now = clock.monotonic();
    const isSilent = cache.list(Node).every((node) => readiness(node) !== 'True');
    if (isSilent || now - calledAt > standstillMs) lastAt = now;
    calledAt = now;
    return now - lastAt < reconnectMs;
  };
}

const deafRetryMs = 1000;

interface NodeChange {
  readonly before: Node;
  readonly after: Node;
  readonly isLost: boolean;
}

async function writeNode(deps: LoopDeps, { before, after, isLost }: NodeChange): Promise<void> {
  await deps.objects.update(Node, after, 'all');
  const wasUnknown = readiness(before) === 'Unknown';
  const said = `Node ${after.metadata.name} status is now:`;
  if (isLost && !wasUnknown) deps.events.warning(after, 'NodeNotReady', `${said} NodeNotReady`);
  if (!isLost && wasUnknown) deps.events.normal(after, 'NodeReady', `${said} NodeReady`);
}

const readiness = (node: Node) => conditionOf(node, 'Ready')?.status;

interface PodOnNode {
  readonly deps: LoopDeps;
  readonly pod: Pod;
  readonly node: Node;
  readonly isLost: boolean;
  readonly now: number;
}

/** Deletes the pod when its time on a tainted node is over. Returns when to look again, or Infinity. */
async function movePod({ deps, pod, node, isLost, now }: PodOnNode): Promise<number> {
  const { deletionTimestamp, uid } = pod.metadata;
  const preconditions = { uid };
  if (deletionTimestamp !== undefined) {
    if (!isLost) return Number.POSITIVE_INFINITY;
    // Nobody is there to say that it has ended.
    const at = Date.parse(deletionTimestamp);
    if (at > now) return at;
    await deps.objects.delete(Pod, keyOf(pod), { preconditions, gracePeriodSeconds: 0 });
    return Number.POSITIVE_INFINITY;
  }
  const at = evictionTime(pod, node.spec.taints ?? []);
  if (at === undefined) return Number.POSITIVE_INFINITY;
  if (at > now) return at;
  const why = `node ${node.metadata.name} is tainted`;
  deps.events.normal(pod, 'TaintManagerEviction', `Deleting pod ${formatKey(keyOf(pod))}: ${why}`);
  await deps.objects.delete(Pod, keyOf(pod), { preconditions });
  return Number.POSITIVE_INFINITY;
}

/** The agent is the writer of this condition, but for what its silence says. */
async function writeReadiness(deps: LoopDeps, pod: Pod, isLost: boolean): Promise<void> {
  const now = deps.clock.now();
  if (planPodReadiness(pod, isLost, now) === pod) return;
  await deps.objects.modify(Pod, { key: keyOf(pod), part: 'status' }, (stored) =>
    stored.metadata.uid === pod.metadata.uid ? planPodReadiness(stored, isLost, now) : undefined,
  );
}
