import { describe, expect, it } from 'vitest';
import { hostnameOf, hostsFile, resolvConf } from '../../../../agent/pods/pod-files.ts';
import type { NetworkTable } from '../../../../agent/ports.ts';
import { aPod } from '../../../support/a-pod.ts';

const network: NetworkTable = {
  podCidr: '10.244.0.0/22',
  clusterPodCidr: '10.244.0.0/14',
  serviceCidr: '10.96.0.0/16',
  clusterDomain: 'cluster.local',
  dnsServiceIp: '10.96.0.10',
  nodes: [],
  services: [],
};

it.each([
  ['the pod’s name', {}, {}, 'web'],
  ['spec.hostname if there is one', { hostname: 'db-0' }, {}, 'db-0'],
  [
    'the name as far as a hostname may be long, without a dash at its end',
    {},
    { name: `${'a'.repeat(62)}-b` },
    'a'.repeat(62),
  ],
])('names the host %s', (_, spec, metadata, expected) => {
  expect(hostnameOf(aPod(spec, metadata))).toBe(expected);
});

describe('/etc/hosts', () => {
  const linesOf = (spec: Readonly<Record<string, unknown>>, podIp: string | undefined) =>
    hostsFile(aPod(spec), podIp, 'cluster.local').split('\n').slice(3);

  it('has the pod under its name', () => {
    expect(linesOf({}, '10.244.0.2')).toEqual(['10.244.0.2\tweb', '']);
  });
  it('has its full name too in a subdomain', () => {
    expect(linesOf({ hostname: 'db-0', subdomain: 'db' }, '10.244.0.2')).toEqual([
      '10.244.0.2\tdb-0.db.default.svc.cluster.local\tdb-0',
      '',
    ]);
  });
  it('has only localhost before there is an address', () => {
    expect(linesOf({}, undefined)).toEqual(['']);
  });
});

describe('/etc/resolv.conf', () => {
  const cluster = [
    'search default.svc.cluster.local svc.cluster.local cluster.local',
    'nameserver 10.96.0.10',
    'options ndots:5',
    '',
  ].join('\n');
  const own = 'nameserver 9.9.9.9\n';
  it.each<[string, Readonly<Record<string, unknown>>, NetworkTable | undefined, string, string?]>([
    ['points to the node’s DNS', {}, network, cluster],
    [
      'searches where the node does, too',
      {},
      network,
      cluster.replace('\n', ' example.org lan\n'),
      `domain old.example\n${own}search example.org. lan\n`,
    ],
    ['is the node’s own with dnsPolicy Default', { dnsPolicy: 'Default' }, network, own],
    ['is the node’s own in its network', { hostNetwork: true, hostUsers: true }, network, own],
    ['is the node’s own before a controller was heard', {}, undefined, own],
  ])('%s', (_, spec, table, expected, node = own) => {
    expect(resolvConf(aPod(spec), table, node)).toBe(expected);
  });
});
