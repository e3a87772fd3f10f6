import { formatSince } from '../../api/format-age.ts';
import type { Node } from '../../api/node.ts';
import type { Pod } from '../../api/pod.ts';
import { isPodFinished, podRequests } from '../../api/pod-facts.ts';
import { formatQuantity, milliOf, wholeOf } from '../../api/quantity.ts';
import { commonFacts, conditionSection, type Described, eventSection } from './describe-any.ts';
import type { Fact, Section } from './sections.ts';

/** `pods`: those on the node. Pure. */
export function describeNode(
  { object: node, events, now }: Described<Node>,
  pods: readonly Pod[],
): readonly Section[] {
  const running = pods.filter((pod) => !isPodFinished(pod));
  return [
    { facts: [...nodeFacts(node), ...commonFacts(node, now)] },
    { title: 'ROOM', table: roomTable(node, running) },
    conditionSection(node.status.conditions, now),
    { title: `PODS (${running.length})`, table: podTable(running, now) },
    eventSection(events, now),
  ];
}

function nodeFacts({ spec, status }: Node): readonly Fact[] {
  const { nodeInfo, addresses = [] } = status;
  const taints = (spec.taints ?? []).map(
    ({ key, value, effect }) => `${key}${value ? `=${value}` : ''}:${effect}`,
  );
  return [
    ['addresses', addresses.map(({ type, address }) => `${address} (${type})`).join('\n')],
    ['pods from', spec.podCIDR],
    ['cordoned', spec.unschedulable ? 'yes: no new pods' : undefined],
    ['taints', taints.join('\n')],
    [
      'system',
      nodeInfo && [nodeInfo.osImage, nodeInfo.kernelVersion, nodeInfo.architecture].join(' · '),
    ],
    ['agent', nodeInfo && [nodeInfo.kubeletVersion, nodeInfo.containerRuntimeVersion].join(' · ')],
  ];
}

function roomTable({ status: { allocatable = {} } }: Node, pods: readonly Pod[]) {
  const requests = pods.map(({ spec }) => podRequests(spec));
  const sum = (of: (one: (typeof requests)[number]) => number) =>
    requests.reduce((all, one) => all + of(one), 0);
  const cpuOfAll = milliOf(allocatable.cpu ?? 0);
  const memoryOfAll = wholeOf(allocatable.memory ?? 0);
  const [cpu, memory] = [sum(({ cpuMilli }) => cpuMilli), sum(({ memoryBytes }) => memoryBytes)];
  const podsOfAll = wholeOf(allocatable.pods ?? 0);
  return {
    headers: ['RESOURCE', 'REQUESTED', 'FREE', 'OF', ''],
    rows: [
      ['cpu', cores(cpu), cores(cpuOfAll - cpu), cores(cpuOfAll), share(cpu, cpuOfAll)],
      [
        'memory',
        bytes(memory),
        bytes(memoryOfAll - memory),
        bytes(memoryOfAll),
        share(memory, memoryOfAll),
      ],
      [
        'pods',
        `${pods.length}`,
        `${podsOfAll - pods.length}`,
        `${podsOfAll}`,
        share(pods.length, podsOfAll),
      ],
    ],
  };
}

const cores = (milli: number) =>
  formatQuantity({ nano: BigInt(milli) * 1_000_000n, format: 'decimal' });
const bytes = (count: number) => `${Math.round(count / 2 ** 20)}Mi`;
const share = (part: number, whole: number) =>
  whole === 0 ? '' : `${Math.round((part / whole) * 100)} %`;

const podTable = (pods: readonly Pod[], now: number) => ({
  headers: ['NAMESPACE', 'NAME', 'PHASE', 'CPU', 'MEMORY', 'AGE'],
  rows: pods.map(({ metadata, spec, status }) => {
    const { cpuMilli, memoryBytes } = podRequests(spec);
    const age = formatSince(metadata.creationTimestamp, now);
    const { namespace = '', name } = metadata;
    return [namespace, name, status.phase, cores(cpuMilli), bytes(memoryBytes), age];
  }),
});
