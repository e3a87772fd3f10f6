import { expect, it } from 'vitest';
import { goneUdpEndpoints } from '../../../../agent/network/gone-endpoints.ts';
import type { NetworkTable } from '../../../../agent/ports.ts';
import { smallTable } from '../../../contract/network-port.contract.ts';

const web = smallTable.services[0]!;
function tableWith(protocol: 'TCP' | 'UDP', ...ips: readonly string[]): NetworkTable {
  const endpoints = ips.map((ip) => ({ ip, port: 5353 }));
  const ports = [{ name: 'dns', protocol, port: 53, endpoints }];
  return { ...smallTable, services: [{ ...web, ports }] };
}
const gone = (ip: string) => ({
  protocol: 'UDP',
  target: { ip: '10.96.0.20', port: 53 },
  endpoint: { ip, port: 5353 },
});

it('names the UDP endpoints that have left, and those alone', () => {
  const before = tableWith('UDP', '10.244.4.2', '10.244.4.3');
  const check = (next: NetworkTable) => goneUdpEndpoints(before, next);
  expect(check(before)).toEqual([]);
  expect(check(tableWith('UDP', '10.244.4.3', '10.244.4.4'))).toEqual([gone('10.244.4.2')]);
  expect(check(smallTable)).toEqual([gone('10.244.4.2'), gone('10.244.4.3')]);
});

it('leaves TCP to its clients, and knows nothing before the first table', () => {
  expect(goneUdpEndpoints(tableWith('TCP', '10.244.4.2'), smallTable)).toEqual([]);
  expect(goneUdpEndpoints(undefined, smallTable)).toEqual([]);
});
