import type { Endpoint, EndpointSlice } from '../../api/endpoint-slice.ts';
import { Endpoints } from '../../api/endpoints.ts';
import { Service } from '../../api/service.ts';
import { slicesByService } from '../store/indexes.ts';
import { formatKey, keyOf } from '../store/keys.ts';
import type { CacheReads } from '../store/objects.ts';
import { computedHandles } from './computed-handles.ts';

/** Of each Service that has slices: a subset for each of them. */
export const endpointsHandles = computedHandles(({ namespace }, { cache }) =>
  cache.list(Service, namespace || undefined).flatMap((service) => endpointsOf(service, cache)),
);

function endpointsOf(service: Service, cache: CacheReads): readonly Endpoints[] {
  const slices = cache.byIndex(slicesByService, formatKey(keyOf(service)));
  const [first] = slices;
  if (!first) return [];
  const { name, namespace, labels } = service.metadata;
  const { uid, resourceVersion, creationTimestamp } = first.metadata;
  const metadata = { name, namespace, labels, uid, resourceVersion, creationTimestamp };
  return [{ apiVersion: 'v1', kind: Endpoints.kind, metadata, subsets: slices.map(subsetOf) }];
}

function subsetOf({ endpoints, ports = [] }: EndpointSlice): Endpoints['subsets'][number] {
  const { ready = [], others = [] } = Object.groupBy(endpoints, ({ conditions }) =>
    conditions.ready === false ? 'others' : 'ready',
  );
  return {
    ...(ready.length > 0 && { addresses: ready.flatMap(addressesOf) }),
    ...(others.length > 0 && { notReadyAddresses: others.flatMap(addressesOf) }),
    ports: ports.flatMap(({ name, port, protocol }) =>
      port === undefined ? [] : [{ ...(name && { name }), port, protocol }],
    ),
  };
}

const addressesOf = ({ addresses, hostname, nodeName, targetRef }: Endpoint) =>
  addresses.map((ip) => ({ ip, hostname, nodeName, targetRef }));
