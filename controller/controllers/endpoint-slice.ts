import { EndpointSlice } from '../../api/endpoint-slice.ts';
import { Pod } from '../../api/pod.ts';
import { type Labels, matchesSelector } from '../../api/selector.ts';
import { Service } from '../../api/service.ts';
import { slicesByService } from '../store/indexes.ts';
import { formatKey, keyOf, parseKey } from '../store/keys.ts';
import type { Loop, LoopDeps } from '../store/loop.ts';
import type { Cache, ObjectChange } from '../store/objects.ts';
import { managedByLabel, manager, planEndpointSlices } from './endpoint-slice-plan.ts';

/** Lists the pods behind every Service that has a selector. */
export const endpointSliceLoop: Loop = {
  name: 'endpoint-slice-controller',
  workers: 4,
  wakes,
  reconcile,
};

function wakes(change: ObjectChange, cache: Cache): readonly string[] {
  const { kind, object, previous } = change;
  if (kind === Service) return [formatKey(change.key)];
  const states = [object, previous].filter((state) => state !== undefined);
  if (kind === EndpointSlice)
    return states.flatMap((slice) => slicesByService.valuesOf(slice as EndpointSlice));
  if (kind !== Pod) return [];
  const labels = states.map(({ metadata }) => metadata.labels ?? {});
  return cache
    .list(Service, change.key.namespace)
    .filter((service) => labels.some((of) => selects(service, of)))
    .map((service) => formatKey(keyOf(service)));
}

/** Without a selector its user makes the slices. */
const selects = ({ spec }: Service, labels: Labels | undefined) =>
  spec.type !== 'ExternalName' &&
  spec.selector !== undefined &&
  Object.keys(spec.selector).length > 0 &&
  matchesSelector({ matchLabels: spec.selector }, labels);

async function reconcile(key: string, { cache, objects }: LoopDeps): Promise<void> {
  const service = cache.get(Service, parseKey(key));
  // A removed Service's slices go with it: they name it as their owner.
  if (!service || service.metadata.deletionTimestamp) return;
  const slices = cache
    .byIndex(slicesByService, key)
    .filter((slice) => slice.metadata.labels?.[managedByLabel] === manager);
  const pods = cache
    .list(Pod, service.metadata.namespace)
    .filter((pod) => selects(service, pod.metadata.labels));
  const plan = planEndpointSlices({ service, pods, slices });
  await Promise.all([
    ...plan.create.map((slice) => objects.create(EndpointSlice, slice)),
    ...plan.update.map((slice) => objects.update(EndpointSlice, slice, 'main')),
    ...plan.remove.map((slice) => objects.delete(EndpointSlice, keyOf(slice))),
  ]);
}
