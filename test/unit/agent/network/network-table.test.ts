import { expect, it } from 'vitest';
import { checkTable } from '../../../../agent/network/network-table.ts';
import type { NetworkTable, ServiceEntry } from '../../../../agent/ports.ts';
import { smallTable } from '../../../contract/network-port.contract.ts';

const web = smallTable.services[0]!;
const withService = (service: Partial<ServiceEntry>): NetworkTable => ({
  ...smallTable,
  services: [{ ...web, ...service }],
});

it('takes a table that makes sense', () => {
  checkTable(smallTable);
  checkTable(withService({ clusterIp: undefined, addresses: [{ ip: '10.1.1.1', hostname: 'a' }] }));
});

it.each<[what: string, table: NetworkTable]>([
  ['host bits in a CIDR', { ...smallTable, podCidr: '10.244.4.1/22' }],
  ['an IPv6 range', { ...smallTable, serviceCidr: 'fd00::/108' }],
  ['no DNS address', { ...smallTable, dnsServiceIp: '' }],
  [
    'a node without an address',
    { ...smallTable, nodes: [{ name: 'a', address: 'a', podCidr: '10.0.0.0/8' }] },
  ],
  ['a command in a name', withService({ name: 'x; flush ruleset' })],
  ['a line in a name', withService({ name: 'web\n' })],
  ['a path in a namespace', withService({ namespace: '../x' })],
  ['a command in an address', withService({ clusterIp: '10.96.0.1 }; flush ruleset' })],
  [
    'a command in an endpoint',
    withService({ ports: [{ ...web.ports[0]!, endpoints: [{ ip: '1.2.3.4; x', port: 1 }] }] }),
  ],
  [
    'a port that is none',
    withService({ ports: [{ ...web.ports[0]!, endpoints: [{ ip: '1.2.3.4', port: 65_536 }] }] }),
  ],
])('refuses %s', (_, table) => {
  expect(() => checkTable(table)).toThrow(expect.objectContaining({ reason: 'InvalidTable' }));
});
