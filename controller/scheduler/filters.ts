import { conditionOf } from '../../api/condition.ts';
import type { HostPort } from '../../api/pod-facts.ts';
import type { Demand, NodeState, Resources } from './snapshot.ts';
import { addResources, untolerated } from './snapshot.ts';

/** Why this node can't take the pod, in Kubernetes' words; nothing: it can. Pure. */
export type Filter = (demand: Demand, state: NodeState) => readonly string[];

/** In this order; the first that says no speaks for the node. */
export const filters: readonly Filter[] = [
  notUnschedulable,
  toleratedTaints,
  readyNode,
  matchingLabels,
  knownRuntime,
  freePorts,
  enoughRoom,
];

function notUnschedulable(_: Demand, { node }: NodeState): readonly string[] {
  return node.spec.unschedulable ? ['node(s) were unschedulable'] : [];
}

function toleratedTaints({ pod }: Demand, { node }: NodeState): readonly string[] {
  const taint = untolerated(pod, node).find(({ effect }) => effect !== 'PreferNoSchedule');
  return taint ? [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`] : [];
}

function readyNode(_: Demand, { node }: NodeState): readonly string[] {
  return conditionOf(node, 'Ready')?.status === 'True' ? [] : ['node(s) were not ready'];
}

function matchingLabels({ pod: { spec } }: Demand, { node }: NodeState): readonly string[] {
  const labels = node.metadata.labels ?? {};
  const wanted = Object.entries(spec.nodeSelector ?? {});
  const isMatch = wanted.every(([name, value]) => labels[name] === value);
  return isMatch ? [] : ["node(s) didn't match Pod's node affinity/selector"];
}

function knownRuntime({ runtimeHandler }: Demand, { node }: NodeState): readonly string[] {
  const known = node.status.runtimeHandlers ?? [];
  const isKnown = runtimeHandler === '' || known.some(({ name }) => name === runtimeHandler);
  return isKnown ? [] : [`node(s) didn't have the runtime handler "${runtimeHandler}"`];
}

function freePorts({ hostPorts }: Demand, { hostPorts: taken }: NodeState): readonly string[] {
  const isTaken = hostPorts.some((port) => taken.some((other) => isSamePort(port, other)));
  return isTaken ? ["node(s) didn't have free ports for the requested pod ports"] : [];
}

function isSamePort(a: HostPort, b: HostPort): boolean {
  if (a.protocol !== b.protocol || a.hostPort !== b.hostPort) return false;
  return a.hostIp === undefined || b.hostIp === undefined || a.hostIp === b.hostIp;
}

function enoughRoom({ requests }: Demand, { allocatable, requested }: NodeState) {
  const total = addResources(requested, requests);
  const isShort = (what: keyof Resources) => requests[what] > 0 && total[what] > allocatable[what];
  return [
    ...(isShort('pods') ? ['Too many pods'] : []),
    ...(isShort('cpuMilli') ? ['Insufficient cpu'] : []),
    ...(isShort('memoryBytes') ? ['Insufficient memory'] : []),
  ];
}
