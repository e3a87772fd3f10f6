import type { Pod } from '../api/pod.ts';
import { RuntimeClass } from '../api/runtime-class.ts';
import type { CacheReads } from './store/objects.ts';

/** What a node must have for the pod; "": it names no RuntimeClass, or one that isn't there. */
export const runtimeHandlerOf = ({ spec }: Pod, cache: CacheReads): string =>
  cache.get(RuntimeClass, { namespace: '', name: spec.runtimeClassName ?? '' })?.handler ?? '';
