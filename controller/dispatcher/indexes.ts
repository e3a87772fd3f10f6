import { EndpointSlice } from '../../api/endpoint-slice.ts';
import { Pod } from '../../api/pod.ts';
import type { Fields } from '../../api/schema.ts';
import type { Index } from '../store/cache.ts';

/** Bound pods, by name of their node. */
export const podsByNode = declared({
  name: 'dispatcher/pods-by-node',
  kind: Pod,
  valuesOf: ({ spec }) => (spec.nodeName ? [spec.nodeName] : []),
});

/** By "namespace/name" of the Service. */
export const slicesByService = declared({
  name: 'dispatcher/slices-by-service',
  kind: EndpointSlice,
  valuesOf: ({ metadata }) => {
    const service = metadata.labels?.['kubernetes.io/service-name'];
    return service ? [`${metadata.namespace}/${service}`] : [];
  },
});

/** For startCache. */
export const dispatcherIndexes: readonly Index[] = [podsByNode, slicesByService];

/** Only so that the kind's fields are inferred. */
function declared<F extends Fields>(index: Index<F>): Index<F> {
  return index;
}
