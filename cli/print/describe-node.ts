import { formatSince } from '../../api/format-age.ts';
import type { Node } from '../../api/node.ts';
import type { Pod } from '../../api/pod.ts';
import { isPodFinished, podRequests } from '../../api/pod-facts.ts';
import { formatQuantity, milliOf, wholeOf } from '../../api/quantity.ts';
import { conditionSection } from './describe-any.ts';
import type { Description, Fact } from './sections.ts';

/** `pods`: those on the node. Pure. */
export function describeNode(node: Node, pods: readonly Pod[], now: number): Description {
  const running = pods.filter((pod) => !isPodFinished(pod));
  return {
    facts: nodeFacts(node),
    sections: [
      { title: 'ROOM', ...roomTable(node, running) },
      conditionSection(node.status.conditions, now),
      { title: `PODS (${running.length})`, ...podTable(running, now) },
    ],
  };
}

function nodeFacts({ spec, status }: Node): readonly Fact[] {
  const { nodeInfo: info, addresses = [] } = status;
  const taints = (spec.taints ?? []).map(
    ({ key, value, effect }) => `${key}${value ? `=${value}` : ''}:${effect}`,
  );
  return [
    ['addresses', addresses.map(({ type, address }) => `${address} (${type})`).join('\n')],
    ['pods from', spec.podCIDR],
    ['cordoned', spec.unschedulable ? 'yes: no new pods' : undefined],
    ['taints', taints.join('\n')],
    ['system', info && [info.osImage, info.kernelVersion, info.architecture].join(' · ')],
    ['agent', info && [info.kubeletVersion, info.containerRuntimeVersion].join(' · ')],
  ];
}

function roomTable({ status: { allocatable = {} } }: Node, pods: readonly Pod[]) {
  const requests = pods.map(({ spec }) => podRequests(spec));
  const sum = (of: (one: (typeof requests)[number]) => number) =>
    requests.reduce((all, one) => all + of(one), 0);
  const [cpu, memory] = [sum(({ cpuMilli }) => cpuMilli), sum(({ memoryBytes }) => memoryBytes)];
  const row = (name: string, used: number, [all, shown]: readonly [number, Shown]) => [
    ...[name, shown(used), shown(all - used), shown(all)],
    all === 0 ? '' : `${Math.round((used / all) * 100)} %`,
  ];
  return {
    headers: ['RESOURCE', 'REQUESTED', 'FREE', 'OF', ''],
    rows: [
      row('cpu', cpu, [milliOf(allocatable.cpu ?? 0), cores]),
      row('memory', memory, [wholeOf(allocatable.memory ?? 0), bytes]),
      row('pods', pods.length, [wholeOf(allocatable.pods ?? 0), String]),
    ],
  };
}

type Shown = (amount: number) => string;

const cores = (milli: number) =>
  formatQuantity({ nano: BigInt(milli) * 1_000_000n, format: 'decimal' });
const bytes = (count: number) => `${Math.round(count / 2 ** 20)}Mi`;
const podTable = (pods: readonly Pod[], now: number) => ({
  headers: ['NAMESPACE', 'NAME', 'PHASE', 'CPU', 'MEMORY', 'AGE'],
  rows: pods.map(({ metadata, spec, status }) => {
    const { cpuMilli, memoryBytes } = podRequests(spec);
    const age = formatSince(metadata.creationTimestamp, now);
    const { namespace, name } = metadata;
    return [namespace, name, status.phase, cores(cpuMilli), bytes(memoryBytes), age];
  }),
});
