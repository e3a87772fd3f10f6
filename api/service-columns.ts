import type { Column } from './kind.ts';
import { formatLabelSelector } from './selector.ts';
import type { Service } from './service.ts';

/** As `kubectl get services` shows them. */
export const serviceColumns: readonly Column<Service>[] = [
  { name: 'Type', type: 'string', about: 'How it is reached.', of: ({ spec }) => spec.type },
  {
    name: 'Cluster-IP',
    type: 'string',
    about: 'Its address; None when it is headless.',
    of: ({ spec }) => spec.clusterIP || '<none>',
  },
  {
    name: 'External-IP',
    type: 'string',
    about: 'The name that it stands for.',
    of: ({ spec }) => (spec.type === 'ExternalName' && spec.externalName) || '<none>',
  },
  {
    name: 'Port(s)',
    type: 'string',
    about: 'Its ports, and behind a colon those of the nodes.',
    of: ({ spec }) =>
      spec.ports
        ?.map(
          ({ port, nodePort, protocol }) => `${port}${nodePort ? `:${nodePort}` : ''}/${protocol}`,
        )
        .join(',') || '<none>',
  },
  {
    name: 'Selector',
    type: 'string',
    wide: true,
    about: 'Labels of its pods.',
    of: ({ spec }) => formatLabelSelector({ matchLabels: spec.selector }),
  },
];
