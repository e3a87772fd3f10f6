import { Pod } from '../../api/pod.ts';
import type { Index } from './cache.ts';
import type { FieldsOf } from './objects.ts';

/** For the loops that look at a node's pods: scheduler, node life cycle, dispatcher. "": not bound yet. */
export const podsByNode: Index<FieldsOf<typeof Pod>> = {
  name: 'pods by node',
  kind: Pod,
  valuesOf: ({ spec }) => [spec.nodeName ?? ''],
};
