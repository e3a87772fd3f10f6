import { describe, expect, it } from 'vitest';
import type { OpenHostPort } from '../../../../agent/network/address-book.ts';
import { serviceRules } from '../../../../agent/network/service-rules.ts';
import type { ServiceEntry } from '../../../../agent/ports.ts';
import { smallTable } from '../../../contract/network-port.contract.ts';

const web = smallTable.services[0]!;
const http = { ...web.ports[0]!, nodePort: undefined };
const two = [
  { ip: '10.244.4.2', port: 8080 },
  { ip: '10.244.8.3', port: 9090 },
];

/** Of the services alone: what every node has is tested with real packets. */
function rulesOf(services: readonly ServiceEntry[], ports: readonly OpenHostPort[] = []) {
  const { sets, chains } = serviceRules({ ...smallTable, services }, new Map(), ports);
  const ours = ([name]: readonly [string, unknown]) =>
    /^(service|endpoint|clients|node-port|host-port)\//.test(name);
  return {
    elements: ['services', 'host-ports', 'node-ports'].flatMap((name) => [
      ...(sets.get(name)?.elements ?? []),
    ]),
    chains: [...chains].filter(ours).map(([name, { rules }]) => [name, ...rules]),
    sets: [...sets].filter(ours).map(([name, { definition }]) => [name, definition]),
  };
}

describe('a service', () => {
  it('is found by address, protocol and port, and spread over its endpoints', () => {
    expect(rulesOf([{ ...web, ports: [{ ...http, endpoints: two }] }])).toEqual({
      elements: [['10.96.0.20 . tcp . 80', 'goto service/default/web/tcp/80']],
      chains: [
        [
          'service/default/web/tcp/80',
          'meta l4proto tcp dnat ip addr . port to ' +
            'numgen random mod 2 map { 0 : 10.244.4.2 . 8080, 1 : 10.244.8.3 . 9090 }',
        ],
      ],
      sets: [],
    });
  });

  it('has a chain for each port, of either protocol', () => {
    const dns = (protocol: 'TCP' | 'UDP') => ({ ...http, protocol, port: 53 });
    const { elements } = rulesOf([{ ...web, ports: [dns('TCP'), dns('UDP'), http] }]);
    expect(elements).toEqual([
      ['10.96.0.20 . tcp . 53', 'goto service/default/web/tcp/53'],
      ['10.96.0.20 . udp . 53', 'goto service/default/web/udp/53'],
      ['10.96.0.20 . tcp . 80', 'goto service/default/web/tcp/80'],
    ]);
  });

  const nothing = { elements: [], chains: [], sets: [] };
  it('has no rules when it is headless or without a ready endpoint', () => {
    expect(rulesOf([{ ...web, clusterIp: undefined }])).toEqual(nothing);
    expect(rulesOf([{ ...web, ports: [{ ...http, endpoints: [] }] }])).toEqual(nothing);
  });

  it('with affinity remembers its clients by endpoint, for as long as it says', () => {
    const ports = [{ ...http, endpoints: two }];
    const first = 'default/web/tcp/80/10.244.4.2/8080/90s';
    const second = 'default/web/tcp/80/10.244.8.3/9090/90s';
    const definition = 'type ipv4_addr; flags dynamic, timeout; timeout 90s;';
    expect(rulesOf([{ ...web, sessionAffinityMs: 90_000, ports }])).toEqual({
      elements: [['10.96.0.20 . tcp . 80', 'goto service/default/web/tcp/80']],
      chains: [
        [
          `endpoint/${first}`,
          `update @clients/${first} { ip saddr }`,
          'meta l4proto tcp dnat ip to 10.244.4.2:8080',
        ],
        [
          `endpoint/${second}`,
          `update @clients/${second} { ip saddr }`,
          'meta l4proto tcp dnat ip to 10.244.8.3:9090',
        ],
        [
          'service/default/web/tcp/80',
          `ip saddr @clients/${first} goto endpoint/${first}`,
          `ip saddr @clients/${second} goto endpoint/${second}`,
          `numgen random mod 2 vmap { 0 : goto endpoint/${first}, 1 : goto endpoint/${second} }`,
        ],
      ],
      sets: [
        [`clients/${first}`, definition],
        [`clients/${second}`, definition],
      ],
    });
  });
});

it('a node port marks what comes by it and leads on to the service', () => {
  const ports = [{ ...http, nodePort: 30_080 }];
  const { elements, chains } = rulesOf([{ ...web, ports }]);
  expect(elements).toEqual([
    ['10.96.0.20 . tcp . 80', 'goto service/default/web/tcp/80'],
    ['tcp . 30080', 'goto node-port/default/web/tcp/80'],
  ]);
  expect(chains.at(-1)).toEqual([
    'node-port/default/web/tcp/80',
    'meta mark set meta mark or 0x4000',
    'goto service/default/web/tcp/80',
  ]);
});

it('a host port leads to its pod, on one address of the node or on all', () => {
  const port = { protocol: 'UDP', hostPort: 53, containerPort: 5353, podIp: '10.244.4.2' } as const;
  const open = [
    { ...port, hostIp: undefined },
    { ...port, hostIp: '172.30.7.1' },
  ];
  const to = 'meta l4proto udp dnat ip to 10.244.4.2:5353';
  expect(rulesOf([], open)).toEqual({
    elements: [
      ['172.30.7.1 . udp . 53', 'goto host-port/172.30.7.1/udp/53'],
      ['udp . 53', 'goto host-port/any/udp/53'],
    ],
    chains: [
      ['host-port/any/udp/53', to],
      ['host-port/172.30.7.1/udp/53', to],
    ],
    sets: [],
  });
});

it("names each pod's link with the one address that it may carry", () => {
  const { sets } = serviceRules(smallTable, new Map([['orc12', '10.244.4.2']]), []);
  expect(sets.get('pods')?.elements).toEqual(new Map([['orc12 . 10.244.4.2', '']]));
});
