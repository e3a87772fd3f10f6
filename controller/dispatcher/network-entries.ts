import type { Endpoint, EndpointSlice } from '../../api/endpoint-slice.ts';
import type * as wire from '../../api/generated/agent.ts';
import type { Node } from '../../api/node.ts';
import type { Service, ServicePort } from '../../api/service.ts';

/** The row of the service table for a Service with its slices. Pure. */
export function serviceEntry(
  service: Service,
  slices: readonly EndpointSlice[],
): wire.ServiceEntry {
  const { spec, metadata } = service;
  const eligible = slices.map((slice) => ({
    ports: slice.ports ?? [],
    endpoints: slice.endpoints.filter((e) => spec.publishNotReadyAddresses || isReady(e)),
  }));
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    clusterIp: spec.clusterIP === 'None' || spec.clusterIP === '' ? undefined : spec.clusterIP,
    sessionAffinityMs: affinityMs(service),
    ports: (spec.ports ?? []).map((port) => portEntry(port, eligible)),
    addresses: eligible.flatMap(({ endpoints }) => endpoints.flatMap(addressesOf)),
    externalName: spec.type === 'ExternalName' ? spec.externalName : undefined,
  };
}

type Slice = Pick<EndpointSlice, 'endpoints'> & {
  readonly ports: NonNullable<EndpointSlice['ports']>;
};

/** A slice's ports carry the Service port's name; their number is the pods'. */
function portEntry(port: ServicePort, slices: readonly Slice[]): wire.ServicePort {
  const { name = '', protocol } = port;
  const endpoints = slices.flatMap((slice) =>
    slice.ports
      .filter((p) => p.name === name && p.protocol === protocol)
      .flatMap((p) => (p.port === undefined ? [] : endpointsAt(slice.endpoints, p.port))),
  );
  return { name, protocol, port: port.port, endpoints, nodePort: port.nodePort ?? 0 };
}

const endpointsAt = (endpoints: readonly Endpoint[], port: number) =>
  endpoints.flatMap(({ addresses }) => addresses.map((ip) => ({ ip, port })));

const addressesOf = ({ addresses, hostname }: Endpoint) =>
  addresses.map((ip) => ({ ip, hostname }));

/** Kubernetes: an absent condition counts as ready. */
const isReady = ({ conditions }: Endpoint) => conditions.ready !== false;

function affinityMs({ spec }: Service): number | undefined {
  if (spec.sessionAffinity !== 'ClientIP') return undefined;
  return (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800) * 1000;
}

/** undefined until the node has both an address and a pod CIDR. Pure. */
export function nodeRoute({ metadata, spec, status }: Node): wire.NodeRoute | undefined {
  const address = status.addresses?.find(({ type }) => type === 'InternalIP')?.address;
  if (!address || !spec.podCIDR) return undefined;
  return { name: metadata.name, address, podCidr: spec.podCIDR };
}
