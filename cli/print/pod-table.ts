import { formatSince } from '../../api/format-age.ts';
import type { Pod } from '../../api/pod.ts';
import { podColumns } from '../../api/pod-columns.ts';
import type { TextTable } from './table.ts';

/** Pods within a description. Pure. */
export const podTable = (pods: readonly Pod[], now: number): TextTable => ({
  headers: ['NAME', 'READY', 'STATUS', 'RESTARTS', 'NODE', 'IP', 'AGE'],
  rows: pods.map((pod) => {
    const cell = (name: string) =>
      String(podColumns.find((column) => column.name === name)?.of(pod, now) ?? '');
    const cells = ['Ready', 'Status', 'Restarts', 'Node', 'IP'].map(cell);
    return [pod.metadata.name, ...cells, formatSince(pod.metadata.creationTimestamp, now)];
  }),
});
