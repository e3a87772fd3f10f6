import { transitionTime } from '../../api/condition.ts';
import type { Hello } from '../../api/generated/agent.ts';
import type { Node, NodeCondition } from '../../api/node.ts';
import { formatTime } from '../../base/clock.ts';

/** What a node's first message says about it, as the Node's status. Conditions are merged by {@link withConditions}. */
export function statusFromHello(hello: Hello, maxPods: number): Node['status'] {
  const pods = Math.min(Number(hello.capacity.pods ?? maxPods), maxPods);
  const capacity = { ...hello.capacity, pods: String(pods) };
  const [internalIp] = hello.addresses;
  const runtimeHandlers = hello.runtimeHandlers.map((name) => ({ name }));
  return {
    capacity,
    allocatable: capacity,
    addresses: [
      ...(internalIp ? [{ type: 'InternalIP' as const, address: internalIp }] : []),
      { type: 'Hostname' as const, address: hello.nodeName },
    ],
    // Absent for an older agent: controllers as old as that know no such field.
    runtimeHandlers: runtimeHandlers.length > 0 ? runtimeHandlers : undefined,
    nodeInfo: {
      machineID: hello.system?.machineId ?? '',
      systemUUID: hello.system?.systemUuid ?? '',
      bootID: hello.bootId,
      kernelVersion: hello.system?.kernelVersion ?? '',
      osImage: hello.system?.osImage ?? '',
      containerRuntimeVersion: hello.system?.containerRuntimeVersion ?? '',
      kubeletVersion: hello.agentVersion,
      operatingSystem: hello.system?.operatingSystem ?? '',
      architecture: hello.system?.architecture ?? '',
    },
  };
}

const ready: NodeCondition = {
  type: 'Ready',
  status: 'True',
  reason: 'AgentReady',
  message: 'the agent is connected and reports',
};

/**
 * The node's own conditions over what is there; Ready is True unless the node itself says otherwise. Times of
 * transition stay where the status stays. An unchanged list gives back the same times, so that nothing is written.
 */
export function withConditions(
  present: readonly NodeCondition[],
  reported: readonly NodeCondition[],
  now: number,
): readonly NodeCondition[] {
  const said = new Map([ready, ...reported].map((condition) => [condition.type, condition]));
  const kept = present.filter(({ type }) => !said.has(type));
  const byType = new Map(present.map((condition) => [condition.type, condition]));
  return [...kept, ...[...said.values()].map((c) => dated(c, byType.get(c.type), formatTime(now)))];
}

function dated(next: NodeCondition, previous: NodeCondition | undefined, now: string) {
  const heard = previous?.status === next.status ? previous.lastHeartbeatTime : now;
  const lastTransitionTime = transitionTime(next, previous, now);
  return { ...next, lastHeartbeatTime: heard ?? now, lastTransitionTime };
}
