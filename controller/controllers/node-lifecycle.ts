import { conditionOf } from '../../api/condition.ts';
import { Lease } from '../../api/lease.ts';
import { Node } from '../../api/node.ts';
import { Pod } from '../../api/pod.ts';
import { podsByNode } from '../store/indexes.ts';
import { formatKey, keyOf } from '../store/keys.ts';
import type { Loop, LoopDeps } from '../store/loop.ts';
import type { ObjectChange } from '../store/objects.ts';
import { onlyThis } from '../store/preconditions.ts';
import { heardNodes } from './heard-nodes.ts';
import type { NodePlan } from './node-lifecycle-plan.ts';
import { evictionTime, planNode, planPodReadiness, reconnectMs } from './node-lifecycle-plan.ts';

/** Where the nodes' leases are. */
const nodeLeaseNamespace = 'kube-node-lease';

/** Marks nodes that fall silent, and moves their pods on. The key is the node's name. */
export function nodeLifecycleLoop(): Loop {
  const heard = heardNodes();
  const isDeaf = deafness();
  const reconcile: Loop['reconcile'] = async (name, deps) => {
    const { cache, clock } = deps;
    const node = cache.get(Node, { namespace: '', name });
    const lease = cache.get(Lease, { namespace: nodeLeaseNamespace, name });
    const now = clock.now();
    const mayBeOurFault = isDeaf(deps);
    if (!node) return removeOldLease(lease, deps);
    const heardAt = heard.lastOf(name, lease, deps);
    const plan = planNode({ node, lease, heardAt, now, listeningSince: deps.runningSince });
    if (plan.node !== node) await writeNode(deps, node, plan);
    const pods = cache.byIndex(podsByNode, name);
    const isHeard = !plan.isLost && readiness(plan.node) === 'True';
    if (plan.isLost || isHeard)
      await Promise.all(pods.map((pod) => writeReadiness(deps, pod, plan.isLost)));
    // Heard again, but its Ready is not written yet: as good as ready.
    const isComingBack = !plan.isLost && readiness(plan.node) === 'Unknown';
    if (isComingBack || (plan.isLost && mayBeOurFault)) return deafRetryMs;
    const times = await Promise.all(pods.map((pod) => movePod(deps, pod, { ...plan, now })));
    const next = Math.min(...times, plan.nextCheckAt ?? Number.POSITIVE_INFINITY);
    return Number.isFinite(next) ? Math.max(1, next - clock.now()) : undefined;
  };
  return { name: 'node-controller', workers: 4, wakes, reconcile };
}

function wakes({ kind, key, object, previous }: ObjectChange): readonly string[] {
  if (kind === Node) return [key.name];
  if (kind === Lease) return key.namespace === nodeLeaseNamespace ? [key.name] : [];
  if (kind !== Pod) return [];
  const states = [object, previous] as readonly (Pod | undefined)[];
  return states.flatMap((pod) => pod?.spec.nodeName ?? []);
}

/** A node that joins or comes back has its lease before it has its Node. */
const leaseWithoutNodeMs = 10_000;

async function removeOldLease(lease: Lease | undefined, { objects, clock }: LoopDeps) {
  if (!lease) return;
  const restMs = Date.parse(lease.spec.renewTime ?? '') + leaseWithoutNodeMs - clock.now();
  if (restMs > 0) return Math.min(restMs, leaseWithoutNodeMs);
  await objects.delete(Lease, keyOf(lease), onlyThis(lease));
}

/** Every node's lease is renewed every two seconds: with one node alone that is how long nothing happens here. */
const standstillMs = 3000;

/**
 * When all nodes are silent at once, it is rather the controller that hears nothing (a switch that restarts), and there
 * is no node that evicted pods could go to. When the first is back, the others are on their way. The same when this
 * process has stood still: what came meanwhile is yet to be read.
 */
function deafness() {
  let [lastAt, calledAt] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  return ({ cache, clock }: LoopDeps) => {
    const now = clock.monotonic();
    const isSilent = cache.list(Node).every((node) => readiness(node) !== 'True');
    if (isSilent || now - calledAt > standstillMs) lastAt = now;
    calledAt = now;
    return now - lastAt < reconnectMs;
  };
}

const deafRetryMs = 1000;

async function writeNode({ objects, events }: LoopDeps, before: Node, plan: NodePlan) {
  const { node, isLost } = plan;
  await objects.update(Node, node, 'all');
  const wasUnknown = readiness(before) === 'Unknown';
  const said = `Node ${node.metadata.name} status is now:`;
  if (isLost && !wasUnknown) events.warning(node, 'NodeNotReady', `${said} NodeNotReady`);
  if (!isLost && wasUnknown) events.normal(node, 'NodeReady', `${said} NodeReady`);
}

const readiness = (node: Node) => conditionOf(node, 'Ready')?.status;

/** Deletes the pod when its time on a tainted node is over. Returns when to look again, or Infinity. */
async function movePod(deps: LoopDeps, pod: Pod, plan: NodePlan & { readonly now: number }) {
  const { node, isLost, now } = plan;
  const { deletionTimestamp } = pod.metadata;
  if (deletionTimestamp !== undefined) {
    const at = isLost ? Date.parse(deletionTimestamp) : Number.POSITIVE_INFINITY;
    if (at > now) return at;
    // Nobody is there to say that it has ended.
    await deps.objects.delete(Pod, keyOf(pod), { ...onlyThis(pod), gracePeriodSeconds: 0 });
  } else {
    const at = evictionTime(pod, node.spec.taints ?? []) ?? Number.POSITIVE_INFINITY;
    if (at > now) return at;
    const why = `node ${node.metadata.name} is tainted`;
    const message = `Deleting pod ${formatKey(keyOf(pod))}: ${why}`;
    deps.events.normal(pod, 'TaintManagerEviction', message);
    await deps.objects.delete(Pod, keyOf(pod), onlyThis(pod));
  }
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
