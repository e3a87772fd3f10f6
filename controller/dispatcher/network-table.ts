import { EndpointSlice } from '../../api/endpoint-slice.ts';
import type { Generation, NetworkDelta } from '../../api/generated/agent.ts';
import type { AnyObject } from '../../api/kind.ts';
import { Node } from '../../api/node.ts';
import { Service } from '../../api/service.ts';
import type { CacheReads, ObjectChange } from '../store/cache.ts';
import { slicesByService } from '../store/indexes.ts';
import { formatKey, keyOf, parseKey } from '../store/keys.ts';
import { nodeRoute, serviceEntry } from './network-entries.ts';

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
export function planNetwork(
  rows: NetworkRows,
  snapshot: CacheReads,
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
