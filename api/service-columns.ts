import { type Column, text, wide } from './columns.ts';
import { formatLabelSelector } from './selector.ts';
import type { Service } from './service.ts';

/** As `kubectl get services` shows them. */
export const serviceColumns: readonly Column<Service>[] = [
  text('Type', 'How it is reached.', ({ spec }) => spec.type),
  text('Cluster-IP', 'Its address; None when it is headless.', clusterIp),
  text('External-IP', 'The name that it stands for.', externalName),
  text('Port(s)', 'Its ports, and behind a colon those of the nodes.', portList),
  wide(
    text('Selector', 'Labels of its pods.', ({ spec }) =>
      formatLabelSelector({ matchLabels: spec.selector }),
    ),
  ),
];

function clusterIp({ spec }: Service): string {
  return spec.clusterIP || '<none>';
}

function externalName({ spec }: Service): string {
  return (spec.type === 'ExternalName' && spec.externalName) || '<none>';
}

function portList({ spec: { ports = [] } }: Service): string {
  const words = ports.map(({ port, nodePort, protocol }) =>
    nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
  );
  return words.join(',') || '<none>';
}
