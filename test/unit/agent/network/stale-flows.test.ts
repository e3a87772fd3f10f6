import { expect, it } from 'vitest';
import type { OpenHostPort } from '../../../../agent/network/address-book.ts';
import { staleFlows, udpTranslations } from '../../../../agent/network/stale-flows.ts';
import { smallTable } from '../../../contract/network-port.contract.ts';

const web = smallTable.services[0]!;
const node = { name: 'host1', address: '172.30.7.1', podCidr: smallTable.podCidr };
const hostPort = { protocol: 'UDP', hostIp: undefined, hostPort: 53, containerPort: 5353 } as const;

interface Leading {
  readonly protocol?: 'TCP' | 'UDP';
  readonly nodePort?: number;
  readonly pods?: readonly OpenHostPort[];
}

function leadingTo(
  ips: readonly string[],
  { protocol = 'UDP', nodePort, pods = [] }: Leading = {},
) {
  const endpoints = ips.map((ip) => ({ ip, port: 5353 }));
  const ports = [{ name: 'dns', protocol, port: 53, nodePort, endpoints }];
  return udpTranslations({ ...smallTable, nodes: [node], services: [{ ...web, ports }] }, pods);
}

const flows = (target: { ip: string; port: number }, ip: string) => ({
  protocol: 'UDP',
  target,
  endpoint: { ip, port: 5353 },
});
const service = { ip: '10.96.0.20', port: 53 };
const local = (port: number) => ({ ip: node.address, port });

it('names the UDP endpoints that have left, and those alone', () => {
  const before = leadingTo(['10.244.4.2', '10.244.4.3']);
  const check = (...ips: readonly string[]) => staleFlows(before, leadingTo(ips));
  expect(check('10.244.4.2', '10.244.4.3')).toEqual([]);
  expect(check('10.244.4.3', '10.244.4.4')).toEqual([flows(service, '10.244.4.2')]);
  expect(check()).toEqual([flows(service, '10.244.4.2'), flows(service, '10.244.4.3')]);
});

it('leaves TCP to its clients, and knows nothing before the first table', () => {
  const tcp = leadingTo(['10.244.4.2'], { protocol: 'TCP' });
  expect(staleFlows(tcp, leadingTo([], { protocol: 'TCP' }))).toEqual([]);
  expect(staleFlows(undefined, leadingTo(['10.244.4.2']))).toEqual([]);
});

it('names what went to the node itself before a node port or host port led on', () => {
  const pods = [{ ...hostPort, podIp: '10.244.4.9' }];
  const begun = leadingTo(['10.244.4.2'], { nodePort: 30_053, pods });
  const self = (port: number) => ({ protocol: 'UDP', target: local(port), endpoint: local(port) });
  expect(staleFlows(leadingTo(['10.244.4.2']), begun)).toEqual([self(30_053), self(53)]);
  expect(staleFlows(begun, leadingTo(['10.244.4.2']))).toEqual([
    flows(local(30_053), '10.244.4.2'),
    flows(local(53), '10.244.4.9'),
  ]);
});
