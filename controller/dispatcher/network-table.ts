import { type Endpoint, EndpointSlice } from '../../api/endpoint-slice.ts';
import type * as wire from '../../api/generated/agent.ts';
import type { AnyObject } from '../../api/kind.ts';
import { Node } from '../../api/node.ts';
import { Service, type ServicePort } from '../../api/service.ts';
import { slicesByService } from '../store/indexes.ts';
import { formatKey, keyOf, parseKey } from '../store/keys.ts';
import type { CacheReads, ObjectChange } from '../store/objects.ts';

/** Rows of the table that may have changed. */
export interface NetworkRows {
  /** "namespace/name" */
  readonly services: ReadonlySet<string>;
  readonly nodes: ReadonlySet<string>;
}

export const allRows = (snapshot: CacheReads): NetworkRows => ({
  services: new Set(snapshot.list(Service).map(ownKey)),
  nodes: new Set(snapshot.list(Node).map(({ metadata }) => metadata.name)),
});

const ownKey = (object: Pick<AnyObject, 'metadata'>) => formatKey(keyOf(object));

/** These rows as they are now. Pure: a function of the snapshot. */
export function planNetwork(rows: NetworkRows, snapshot: CacheReads, generation: wire.Generation) {
  const services = [...rows.services].map((key) => [key, serviceRow(key, snapshot)] as const);
  const nodes = [...rows.nodes].map((name) => [name, nodeRow(name, snapshot)] as const);
  return {
    generation,
    services: services.flatMap(([, row]) => row ?? []),
    removedServices: services.flatMap(([key, row]) => (row ? [] : [key])),
    nodes: nodes.flatMap(([, row]) => row ?? []),
    removedNodes: nodes.flatMap(([name, row]) => (row ? [] : [name])),
  };
}

function serviceRow(key: string, snapshot: CacheReads) {
  const service = snapshot.get(Service, parseKey(key));
  return service && serviceEntry(service, snapshot.byIndex(slicesByService, key));
}

function nodeRow(name: string, snapshot: CacheReads) {
  const node = snapshot.get(Node, { namespace: '', name });
  return node && nodeRoute(node);
}

/** The rows that a change touches; undefined: none. A Node's heartbeats and conditions don't. Pure. */
export function rowsOfChange({ kind, object, previous }: ObjectChange): NetworkRows | undefined {
  const states = [previous, object].filter((state) => state !== undefined);
  switch (kind.kind) {
    case Service.kind:
      return { services: new Set(states.map(ownKey)), nodes: none };
    case EndpointSlice.kind: {
      const services = states.flatMap((slice) => slicesByService.valuesOf(slice as EndpointSlice));
      return { services: new Set(services), nodes: none };
    }
    case Node.kind: {
      const routes = states.map((state) => nodeRoute(state as Node));
      if (states.length === 2 && JSON.stringify(routes[0]) === JSON.stringify(routes[1]))
        return undefined;
      return { services: none, nodes: new Set(states.map(({ metadata }) => metadata.name)) };
    }
    default:
      return undefined;
  }
}

const none: ReadonlySet<string> = new Set();

/** The row of the service table for a Service with its slices. Pure. */
export function serviceEntry(service: Service, slices: readonly EndpointSlice[]) {
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
