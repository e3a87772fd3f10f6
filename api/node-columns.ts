import { formatSince } from './format-age.ts';
import type { Column } from './kind.ts';
import type { Node } from './node.ts';

/** As `kubectl get nodes` shows them. */
export const nodeColumns: readonly Column<Node>[] = [
  { name: 'Status', type: 'string', about: 'Ready or NotReady, and cordons.', of: nodeStatusWord },
  { name: 'Roles', type: 'string', about: 'From its node-role labels.', of: roles },
  {
    name: 'Age',
    type: 'string',
    about: 'Since it joined.',
    of: ({ metadata }, now) => formatSince(metadata.creationTimestamp, now),
  },
  {
    name: 'Version',
    type: 'string',
    about: "The agent's version.",
    of: ({ status }) => status.nodeInfo?.kubeletVersion ?? '',
  },
  wide('Internal-IP', 'Its address in the cluster.', (node) => address(node, 'InternalIP')),
  wide('External-IP', 'Its address outside.', (node) => address(node, 'ExternalIP')),
  wide('OS-Image', 'Its distribution.', ({ status }) => status.nodeInfo?.osImage),
  wide('Kernel-Version', 'Its kernel.', ({ status }) => status.nodeInfo?.kernelVersion),
  wide(
    'Container-Runtime',
    'What runs containers.',
    ({ status }) => status.nodeInfo?.containerRuntimeVersion,
  ),
];

/** "Ready", "NotReady,SchedulingDisabled", "Unknown" before the first sign of life. */
function nodeStatusWord({ spec, status }: Node): string {
  const ready = status.conditions?.find(({ type }) => type === 'Ready');
  const word = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return spec.unschedulable ? `${word},SchedulingDisabled` : word;
}

function wide(name: string, about: string, of: (node: Node) => string | undefined): Column<Node> {
  return { name, type: 'string', wide: true, about, of: (node) => of(node) || '<unknown>' };
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
