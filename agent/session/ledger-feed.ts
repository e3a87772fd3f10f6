import type { ConfigMap } from '../../api/config-map.ts';
import type * as wire from '../../api/generated/agent.ts';
import type { Pod } from '../../api/pod.ts';
import type { Secret } from '../../api/secret.ts';
import { byName, type LedgerChange, type NewAssignment } from '../ledger/assignment.ts';
import type { NetworkTable, ServiceEntry } from '../ports.ts';

type Snapshot = Readonly<{ generation: wire.Generation; pods: NewAssignment[] }>;

/**
 * Turns what one connection's controller says into changes of the ledger; undefined: nothing to be taken yet, or no
 * business of the ledger. Deltas of the network are laid over the table as this connection knows it: the snapshot began
 * with all of it.
 */
export function ledgerFeed() {
  let table: NetworkTable | undefined;
  let snapshot: Snapshot | undefined;
  return (message: NonNullable<wire.ControllerMessage['message']>): LedgerChange | undefined => {
    switch (message.$case) {
      case 'welcome':
        table = emptyTable(message.value);
        return undefined;
      case 'snapshotBegin':
        snapshot = { generation: generationOf(message.value), pods: [] };
        return undefined;
      case 'assign': {
        const pod = newAssignment(message.value);
        if (!snapshot) return { kind: 'assign', generation: generationOf(message.value), pod };
        snapshot.pods.push(pod);
        return undefined;
      }
      case 'remove': {
        const { uid } = message.value;
        return { kind: 'remove', generation: generationOf(message.value), uid };
      }
      case 'network': {
        if (!table) return undefined;
        table = withDelta(table, message.value);
        if (snapshot) return undefined;
        return { kind: 'network', generation: generationOf(message.value), network: table };
      }
      case 'snapshotEnd': {
        if (!snapshot || !table) return undefined;
        const whole = snapshot;
        snapshot = undefined;
        return { kind: 'snapshot', ...whole, network: table };
      }
      case 'openSession':
      case 'closeSession':
        return undefined;
    }
  };
}

const generationOf = ({ generation }: { generation?: wire.Generation | undefined }) =>
  generation ?? { epoch: 0, revision: 0 };

const newAssignment = (message: wire.AssignPod): NewAssignment => ({
  uid: message.uid,
  pod: JSON.parse(message.podJson) as Pod,
  configMaps: byName(message.configMapJson.map((json) => JSON.parse(json) as ConfigMap)),
  secrets: byName(message.secretJson.map((json) => JSON.parse(json) as Secret)),
  runtimeHandler: message.runtimeHandler,
});

const emptyTable = (welcome: wire.Welcome): NetworkTable => ({
  podCidr: welcome.podCidr,
  clusterPodCidr: welcome.clusterPodCidr,
  serviceCidr: welcome.serviceCidr,
  clusterDomain: welcome.clusterDomain,
  dnsServiceIp: welcome.dnsServiceIp,
  nodes: [],
  services: [],
});

/** Rows stay ordered by name, so that the same table is always the same. Pure. */
function withDelta(table: NetworkTable, delta: wire.NetworkDelta): NetworkTable {
  const nodes = new Map(table.nodes.map((node) => [node.name, node]));
  for (const name of delta.removedNodes) nodes.delete(name);
  for (const { name, address, podCidr } of delta.nodes) nodes.set(name, { name, address, podCidr });
  const services = new Map(table.services.map((service) => [serviceKey(service), service]));
  for (const key of delta.removedServices) services.delete(key);
  for (const row of delta.services) services.set(serviceKey(row), serviceEntry(row));
  return { ...table, nodes: ordered(nodes), services: ordered(services) };
}

const serviceKey = ({ namespace, name }: { namespace: string; name: string }) =>
  `${namespace}/${name}`;

const ordered = <T>(rows: ReadonlyMap<string, T>): readonly T[] =>
  [...rows].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);

const serviceEntry = (row: wire.ServiceEntry): ServiceEntry => ({
  clusterIp: undefined,
  sessionAffinityMs: undefined,
  externalName: undefined,
  ...row,
  ports: row.ports.map((port) => ({
    ...port,
    protocol: port.protocol === 'UDP' ? 'UDP' : 'TCP',
    nodePort: port.nodePort || undefined,
  })),
  addresses: row.addresses.map(({ ip, hostname }) => ({ ip, hostname })),
});
