import type { TranslatedFlows } from '../kernel/conntrack.ts';
import type { NetworkTable } from '../ports.ts';
import type { OpenHostPort } from './address-book.ts';
import { ownAddress } from './network-table.ts';

/** By "address port": where packets to there are led. */
export type UdpTranslations = ReadonlyMap<string, readonly TranslatedFlows[]>;

/** Where this node leads UDP: TCP clients notice by themselves that a connection is dead. */
export function udpTranslations(table: NetworkTable, hostPorts: readonly OpenHostPort[]) {
  const own = ownAddress(table);
  const flows = table.services.flatMap(({ clusterIp, ports }) =>
    ports
      .filter(({ protocol }) => protocol === 'UDP')
      .flatMap(({ port, nodePort, endpoints }) => [
        ...translated({ ip: clusterIp, port }, endpoints),
        ...translated({ ip: own, port: nodePort }, endpoints),
      ]),
  );
  const toPods = hostPorts
    .filter(({ protocol }) => protocol === 'UDP')
    .flatMap(({ hostIp = own, hostPort, podIp, containerPort }) =>
      translated({ ip: hostIp, port: hostPort }, [{ ip: podIp, port: containerPort }]),
    );
  return Map.groupBy([...flows, ...toPods], ({ target }) => `${target.ip} ${target.port}`);
}

/**
 * A UDP client that keeps its port would go on being led where its first packet was: to an endpoint that has left, or
 * to the node itself, where nothing listened before there was one.
 */
export function staleFlows(before: UdpTranslations | undefined, next: UdpTranslations) {
  if (!before) return [];
  const still = new Set([...next.values()].flat().map(nameOf));
  const gone = [...before.values()].flat().filter((flows) => !still.has(nameOf(flows)));
  const begun = [...next].flatMap(([key, [first]]) =>
    first && !before.has(key) ? [{ ...first, endpoint: first.target }] : [],
  );
  return [...gone, ...begun];
}

function translated(
  { ip, port }: { readonly ip: string | undefined; readonly port: number | undefined },
  endpoints: readonly TranslatedFlows['endpoint'][],
): readonly TranslatedFlows[] {
  if (ip === undefined || port === undefined) return [];
  return endpoints.map((endpoint) => ({ protocol: 'UDP', target: { ip, port }, endpoint }));
}

const nameOf = ({ target, endpoint }: TranslatedFlows) =>
  `${target.ip} ${target.port} ${endpoint.ip} ${endpoint.port}`;
