import { Pod } from '../api/pod.ts';
import { RuntimeClass } from '../api/runtime-class.ts';
import { forbidden } from '../api/status.ts';
import type { LoopDeps } from './store/loop.ts';
import type { CacheReads } from './store/objects.ts';

/** What a node must have for the pod; "": it names no RuntimeClass, or one that isn't there. */
export const runtimeHandlerOf = ({ spec }: Pod, cache: CacheReads): string =>
  cache.get(RuntimeClass, { namespace: '', name: spec.runtimeClassName ?? '' })?.handler ?? '';

/** As Kubernetes' admission of RuntimeClasses: a pod that no node could run is refused at once. Throws Forbidden. */
export async function checkRuntimeClass(
  shownName: string,
  { spec }: { readonly metadata: unknown; readonly spec?: unknown },
  { cache, objects }: Pick<LoopDeps, 'cache' | 'objects'>,
): Promise<void> {
  const { runtimeClassName: name } = spec as Pod['spec'];
  if (name === undefined) return;
  const key = { namespace: '', name };
  if (cache.get(RuntimeClass, key) ?? (await objects.get(RuntimeClass, key))) return;
  const why = `pod rejected: RuntimeClass "${name}" not found`;
  const causes = [{ reason: 'FieldValueNotFound', message: why, field: 'spec.runtimeClassName' }];
  throw forbidden(Pod, shownName, { why, causes });
}
