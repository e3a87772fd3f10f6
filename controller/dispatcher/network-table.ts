import { EndpointSlice } from '../../api/endpoint-slice.ts';
import type {
  Generation,
  NetworkDelta,
  NodeRoute,
  ServiceEntry,
} from '../../api/generated/agent.ts';
import type { AnyObject } from '../../api/kind.ts';
import { Node } from '../../api/node.ts';
import { Service } from '../../api/service.ts';
import type { Cache, ObjectChange } from '../store/cache.ts';
import { slicesByService } from '../store/indexes.ts';
import { nodeRoute, serviceEntry } from './network-entries.ts';

/** Rows of the table that may have changed. */
export interface NetworkRows {
  /** "namespace/name" */
  readonly services: ReadonlySet<string>;
  readonly nodes: ReadonlySet<string>;
}

export const allRows = (snapshot: Pick<Cache, 'list'>): NetworkRows => ({
  services: new Set(snapshot.list(Service).map(({ metadata }) => serviceKey(metadata))),
  nodes: new Set(snapshot.list(Node).map(({ metadata }) => metadata.name)),
});

const serviceKey = ({ namespace = '', name }: { namespace?: string | undefined; name: string }) =>
  `${namespace}/${name}`;

/** These rows as they are now. Pure: a function of the snapshot. */
export function planNetwork(
  rows: NetworkRows,
  snapshot: Pick<Cache, 'get' | 'byIndex'>,
  generation: Generation,
): NetworkDelta {
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

function serviceRow(
  key: string,
  snapshot: Pick<Cache, 'get' | 'byIndex'>,
): ServiceEntry | undefined {
  const [namespace = '', name = ''] = key.split('/');
  const service = snapshot.get(Service, { namespace, name });
  return service && serviceEntry(service, snapshot.byIndex(slicesByService, key));
}

function nodeRow(name: string, snapshot: Pick<Cache, 'get'>): NodeRoute | undefined {
  const node = snapshot.get(Node, { namespace: '', name });
  return node && nodeRoute(node);
}

/** The rows that a change touches; undefined: none. A Node's heartbeats and conditions don't. Pure. */
export function rowsOfChange({ kind, object, previous }: ObjectChange): NetworkRows | undefined {
  const states = [previous, object].filter((state) => state !== undefined);
  switch (kind.kind) {
    case Service.kind:
      return { services: new Set(states.map(({ metadata }) => serviceKey(metadata))), nodes: none };
    case EndpointSlice.kind:
      return { services: new Set(states.flatMap(servicesOfSlice)), nodes: none };
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

const servicesOfSlice = (slice: AnyObject) => slicesByService.valuesOf(slice as EndpointSlice);
