import { ageColumn, type Column, text, wide } from './columns.ts';
import { conditionOf } from './condition.ts';
import type { Node } from './node.ts';

/** As `kubectl get nodes` shows them. */
export const nodeColumns: readonly Column<Node>[] = [
  text('Status', 'Ready or NotReady, and cordons.', nodeStatusWord),
  text('Roles', 'From its node-role labels.', roles),
  ageColumn,
  text('Version', "The agent's version.", ({ status }) => status.nodeInfo?.kubeletVersion),
  wide(text('Internal-IP', 'Its address in the cluster.', (node) => address(node, 'InternalIP'))),
  wide(text('External-IP', 'Its address outside.', (node) => address(node, 'ExternalIP'))),
  system('OS-Image', 'Its distribution.', 'osImage'),
  system('Kernel-Version', 'Its kernel.', 'kernelVersion'),
  system('Container-Runtime', 'What runs containers.', 'containerRuntimeVersion'),
];

/** "Ready", "NotReady,SchedulingDisabled", "Unknown" before the first sign of life. */
function nodeStatusWord(node: Node): string {
  const ready = conditionOf(node, 'Ready');
  const word = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return node.spec.unschedulable ? `${word},SchedulingDisabled` : word;
}

type SystemField = 'osImage' | 'kernelVersion' | 'containerRuntimeVersion';

function system(name: string, about: string, field: SystemField): Column<Node> {
  return wide(text(name, about, ({ status }) => status.nodeInfo?.[field] || '<unknown>'));
}

function address({ status }: Node, type: string): string {
  return status.addresses?.find((one) => one.type === type)?.address ?? '<none>';
}

function roles({ metadata }: Node): string {
  const prefix = 'node-role.kubernetes.io/';
  const names = Object.entries(metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(prefix)) return [key.slice(prefix.length)];
    return key === 'kubernetes.io/role' && value !== '' ? [value] : [];
  });
  return names.length === 0 ? '<none>' : names.sort().join(',');
}
