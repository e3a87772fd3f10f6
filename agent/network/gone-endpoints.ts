import type { TranslatedFlows } from '../kernel/conntrack.ts';
import type { NetworkTable } from '../ports.ts';

/**
 * UDP endpoints that the table before had and the next one has not. A UDP client that keeps its port would go on
 * being led to them for as long as it sends; TCP clients notice that a connection is dead.
 */
export function goneUdpEndpoints(
  before: NetworkTable | undefined,
  next: NetworkTable,
): readonly TranslatedFlows[] {
  if (!before) return [];
  const still = udpEndpoints(next);
  return [...udpEndpoints(before)].filter(([key]) => !still.has(key)).map(([, flows]) => flows);
}

function udpEndpoints(table: NetworkTable): ReadonlyMap<string, TranslatedFlows> {
  const found = new Map<string, TranslatedFlows>();
  for (const { clusterIp, ports } of table.services) {
    if (clusterIp === undefined) continue;
    for (const { protocol, port, endpoints } of ports) {
      if (protocol !== 'UDP') continue;
      for (const endpoint of endpoints) {
        const key = `${clusterIp} ${port} ${endpoint.ip} ${endpoint.port}`;
        found.set(key, { protocol, target: { ip: clusterIp, port }, endpoint });
      }
    }
  }
  return found;
}
