import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ServiceEntry } from '../../../agent/ports.ts';
import {
  addPod,
  dnsServiceIp,
  makeVirtualHosts,
  restartAgent,
  tableOf,
  type VirtualHost,
  type VirtualHosts,
  type VirtualPod,
} from '../../support/virtual-hosts.ts';
import { waitFor } from '../../support/wait-for.ts';

/** Two hosts; on the first the pods a and b, on the second c and d. Each pod says its name on TCP and UDP 8080. */
let cluster: VirtualHosts;
let first: VirtualHost;
let second: VirtualHost;
let a: VirtualPod;
let b: VirtualPod;
let c: VirtualPod;

beforeAll(async () => {
  cluster = await makeVirtualHosts(2);
  [first, second] = cluster.hosts as [VirtualHost, VirtualHost];
  await cluster.applyEverywhere([]);
  [a, b, c] = [await named(first, 'a'), await named(first, 'b'), await named(second, 'c')];
  await cluster.applyEverywhere(services());
});

afterAll(() => cluster?.end());

async function named(host: VirtualHost, name: string): Promise<VirtualPod> {
  const pod = await addPod(host, `pod-${name}`);
  await pod.peer.call('serveTcp', { port: 8080, name });
  await pod.peer.call('serveUdp', { port: 8080, name });
  return pod;
}

function services(): readonly ServiceEntry[] {
  return [
    service('only-a', '10.96.0.20', [a]),
    service('only-c', '10.96.0.21', [c]),
    service('all', '10.96.0.22', [a, b, c]),
    service('none', '10.96.0.23', []),
    { ...service('sticky', '10.96.0.24', [a, b, c]), sessionAffinityMs: 60_000 },
    {
      ...service('headless', '', [a, c]),
      clusterIp: undefined,
      addresses: [
        { ip: a.ip, hostname: 'a' },
        { ip: c.ip, hostname: undefined },
      ],
    },
  ];
}

function service(name: string, clusterIp: string, pods: readonly VirtualPod[]): ServiceEntry {
  const endpoints = pods.map(({ ip }) => ({ ip, port: 8080 }));
  return {
    namespace: 'default',
    name,
    clusterIp,
    sessionAffinityMs: undefined,
    ports: [
      { name: 'http', protocol: 'TCP', port: 80, nodePort: undefined, endpoints },
      { name: 'udp', protocol: 'UDP', port: 80, nodePort: undefined, endpoints },
    ],
    addresses: pods.map(({ ip }) => ({ ip, hostname: undefined })),
    externalName: undefined,
  };
}

const http = (ip: string) => ({ ip, port: 80 });

it('gives pods addresses of their node, beginning with the second usable one', () => {
  expect([a.ip, b.ip, c.ip]).toEqual(['10.244.0.2', '10.244.0.3', '10.244.4.2']);
});

it("gives the pod the uplink's MTU", () => {
  expect(a.netns.run('ip', 'link', 'show', 'eth0')).toContain('mtu 1450');
});

it('connects pods of one host, each with its own address', async () => {
  expect(await a.peer.call('connect', { ip: b.ip, port: 8080 })).toEqual({
    name: 'b',
    client: a.ip,
  });
});

it('connects pods of two hosts, each with its own address', async () => {
  expect(await a.peer.call('connect', { ip: c.ip, port: 8080 })).toEqual({
    name: 'c',
    client: a.ip,
  });
});

it("connects a host with its own pods and with another host's", async () => {
  const client = first.address;
  expect(await first.peer.call('connect', { ip: a.ip, port: 8080 })).toEqual({ name: 'a', client });
  expect(await first.peer.call('connect', { ip: c.ip, port: 8080 })).toEqual({ name: 'c', client });
});

it("shows the node's address to machines outside of the cluster", async () => {
  const { address: ip, peer } = cluster.stranger;
  await peer.call('serveTcp', { port: 8080, name: 'stranger' });
  const answer = { name: 'stranger', client: first.address };
  expect(await a.peer.call('connect', { ip, port: 8080 })).toEqual(answer);
});

it.each([
  ['on the same host', '10.96.0.20', 'a'],
  ['on another host', '10.96.0.21', 'c'],
])('leads a pod through a service to an endpoint %s', async (_, ip, name) => {
  const answer = { name, client: b.ip };
  expect(await b.peer.call('connect', http(ip))).toEqual(answer);
  expect(await b.peer.call('udp', http(ip))).toEqual(answer);
});

it('leads a pod through a service to itself', async () => {
  expect(await a.peer.call('connect', http('10.96.0.20'))).toMatchObject({ name: 'a' });
  expect(await a.peer.call('udp', http('10.96.0.20'))).toMatchObject({ name: 'a' });
});

it('leads a UDP client that keeps its port away from an endpoint that has left', async () => {
  const ask = () => b.peer.call('udp', { ...http('10.96.0.25'), sourcePort: 4444 });
  const withMoving = (pod: VirtualPod) => {
    const table = tableOf(cluster.hosts, first, [
      ...services(),
      service('moves', '10.96.0.25', [pod]),
    ]);
    return first.agent.call('apply', table);
  };
  try {
    await withMoving(a);
    expect(await ask()).toMatchObject({ name: 'a' });
    await withMoving(c);
    expect(await ask()).toMatchObject({ name: 'c' });
  } finally {
    await first.agent.call('apply', tableOf(cluster.hosts, first, services()));
  }
});

it('leads a host through a service to its own pod and to another host', async () => {
  expect(await first.peer.call('connect', http('10.96.0.20'))).toMatchObject({ name: 'a' });
  expect(await first.peer.call('connect', http('10.96.0.21'))).toMatchObject({ name: 'c' });
  expect(await first.peer.call('udp', http('10.96.0.21'))).toMatchObject({ name: 'c' });
});

it.each([
  ['a service without an endpoint', '10.96.0.23', 80],
  ['a port that the service does not have', '10.96.0.20', 81],
  ['an address that no service has', '10.96.99.99', 80],
])('refuses %s at once, to pods and to the host', async (_, ip, port) => {
  for (const peer of [a.peer, first.peer]) {
    const answer = await peer.call<{ error: string; ms: number }>('connect', { ip, port });
    expect(answer).toMatchObject({ error: 'ECONNREFUSED' });
    expect(answer.ms).toBeLessThan(500);
    expect(await peer.call('udp', { ip, port })).toEqual({ error: 'ECONNREFUSED' });
  }
});

it('spreads connections over all endpoints evenly', async () => {
  const count = new Map<string, number>();
  for (let i = 0; i < 300; i++) {
    const { name } = await b.peer.call<{ name: string }>('connect', http('10.96.0.22'));
    count.set(name, (count.get(name) ?? 0) + 1);
  }
  // 100 each expected, standard deviation 8.2: five of them either way.
  for (const name of ['a', 'b', 'c']) {
    expect(count.get(name)).toBeGreaterThan(59);
    expect(count.get(name)).toBeLessThan(141);
  }
});

it('keeps a client with one endpoint when the service asks for it', async () => {
  const names = new Set<string>();
  for (let i = 0; i < 20; i++)
    names.add((await b.peer.call<{ name: string }>('connect', http('10.96.0.24'))).name);
  expect(names.size).toBe(1);
});

it("drops what a pod sends from an address that isn't its own", async () => {
  b.netns.run('ip', 'address', 'add', '10.244.0.99/32', 'dev', 'eth0');
  // The way back exists, so that only the rule can be what stops it.
  first.netns.run('ip', 'route', 'add', '10.244.0.99/32', 'dev', linkOf(first, b));
  const spoofed = { ip: a.ip, port: 8080, source: '10.244.0.99', timeoutMs: 700 };
  try {
    expect(await b.peer.call('connect', spoofed)).toMatchObject({ error: 'TIMEOUT' });
  } finally {
    first.netns.run('ip', 'route', 'del', '10.244.0.99/32');
    b.netns.run('ip', 'address', 'del', '10.244.0.99/32', 'dev', 'eth0');
  }
});

function linkOf(host: VirtualHost, pod: VirtualPod): string {
  const route = host.netns.run('ip', 'route', 'show', `${pod.ip}/32`);
  return / dev (\S+)/.exec(route)?.[1] ?? '';
}

it('answers unreachable for a pod address that nobody has', async () => {
  const answer = await a.peer.call('connect', { ip: '10.244.3.200', port: 80 });
  expect(answer).toMatchObject({ error: 'EHOSTUNREACH' });
});

it.each<[what: string, query: [name: string, type: string], expected: unknown]>([
  ['a service', ['all.default.svc.cluster.local', 'A'], ['10.96.0.22']],
  ['a headless service', ['headless.default.svc.cluster.local', 'A'], ['10.244.0.2', '10.244.4.2']],
  ["a pod's hostname", ['a.headless.default.svc.cluster.local', 'A'], ['10.244.0.2']],
  ["a pod's address", ['10-244-0-3.default.pod.cluster.local', 'A'], ['10.244.0.3']],
  ['a reverse name', ['22.0.96.10.in-addr.arpa', 'PTR'], ['all.default.svc.cluster.local']],
  ['no such service', ['nope.default.svc.cluster.local', 'A'], { error: 'ENOTFOUND' }],
  ['no such type', ['all.default.svc.cluster.local', 'AAAA'], { error: 'ENODATA' }],
  ["a name that isn't the cluster's", ['example.org', 'A'], { error: 'EREFUSED' }],
])('answers DNS queries of pods for %s', async (_, [name, type], expected) => {
  const answer = await a.peer.call('resolve', { server: dnsServiceIp, name, type });
  const unordered = (value: unknown) => (Array.isArray(value) ? new Set(value) : value);
  expect(unordered(answer)).toEqual(unordered(expected));
});

it('answers over TCP what is too long for UDP', async () => {
  const addresses = Array.from({ length: 100 }, (_, i) => ({
    ip: `10.244.6.${i + 1}`,
    hostname: undefined,
  }));
  const many = { ...service('many', '', []), clusterIp: undefined, addresses };
  const name = 'many.default.svc.cluster.local';
  try {
    await first.agent.call('apply', tableOf(cluster.hosts, first, [...services(), many]));
    const query = { server: dnsServiceIp, name, type: 'A' };
    const answer = await a.peer.call<string[]>('resolve', query);
    expect(new Set(answer)).toEqual(new Set(addresses.map(({ ip }) => ip)));
  } finally {
    await first.agent.call('apply', tableOf(cluster.hosts, first, services()));
  }
});

it('changes nothing when the agent starts again, and breaks no connection', async () => {
  await b.peer.call('hold', { key: 'kept', ip: '10.96.0.21', port: 80 });
  // A link-local address is "tentative" for its first second or two (RFC 4862, 5.4): the kernel's own change.
  await expect.poll(() => observed(first).join('\n'), { timeout: 5000 }).not.toMatch(/tentative/);
  const before = observed(first);
  await restartAgent(first);
  await first.agent.call('apply', tableOf(cluster.hosts, first, services()));
  const again = await first.agent.call('attach', {
    uid: a.uid,
    networkNamespace: a.netns.path,
    hostPorts: [],
  });
  expect(again).toEqual({ uid: a.uid, podIp: a.ip });
  expect(observed(first)).toEqual(before);
  expect(await b.peer.call('echo', { key: 'kept', text: 'still here' })).toBe('still here');
  expect(await a.peer.call('connect', http('10.96.0.21'))).toMatchObject({ name: 'c' });
});

function observed(host: VirtualHost): readonly string[] {
  return [
    host.netns.run('ip', 'route'),
    host.netns.run('ip', 'address').replaceAll(/_lft \w+/g, ''),
    // With handles, so that a rule that was replaced by its like shows.
    host.netns.run('nft', '-a', 'list', 'table', 'ip', 'orc').replaceAll(/expires \S+/g, ''),
  ];
}

it('heals when someone has flushed all rules: with the next pod, or the next change', async () => {
  first.netns.run('nft', 'flush', 'ruleset');
  await first.agent.call('attach', { uid: b.uid, networkNamespace: b.netns.path, hostPorts: [] });
  expect(await b.peer.call('connect', http('10.96.0.20'))).toMatchObject({ name: 'a' });
  first.netns.run('nft', 'flush', 'ruleset');
  await first.agent.call('apply', tableOf(cluster.hosts, first, services().slice(1)));
  await first.agent.call('apply', tableOf(cluster.hosts, first, services()));
  expect(await b.peer.call('connect', http('10.96.0.20'))).toMatchObject({ name: 'a' });
});

it('leaves no link, route, rule or address of a pod that is detached', async () => {
  const pod = await named(first, 'gone');
  const link = linkOf(first, pod);
  await first.agent.call('detach', { uid: pod.uid });
  expect(first.netns.run('ip', 'route')).not.toContain(pod.ip);
  expect(first.netns.run('nft', 'list', 'table', 'ip', 'orc')).not.toContain(pod.ip);
  expect(await first.agent.call('list')).not.toContainEqual({ uid: pod.uid, podIp: pod.ip });
  await waitFor('the link is gone', () => !first.netns.run('ip', 'link').includes(link));
  await first.agent.call('detach', { uid: pod.uid });
});

it('connects a pod again that was detached, by a link that stays', async () => {
  const pod = await named(first, 'again');
  await first.agent.call('detach', { uid: pod.uid });
  const attach = { uid: pod.uid, networkNamespace: pod.netns.path, hostPorts: [] };
  const { podIp } = await first.agent.call<{ podIp: string }>('attach', attach);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(first.netns.run('ip', 'route')).toContain(`${podIp} dev ${linkOf(first, pod)}`);
  expect(first.netns.run('ip', 'link')).toContain(linkOf(first, pod));
});

it('connects a pod anew whose namespace was lost, at the same address', async () => {
  const lost = await addPod(second, 'pod-lost');
  await lost.peer.end();
  await lost.netns.end();
  const found = await addPod(second, 'pod-lost');
  expect(found.ip).toBe(lost.ip);
  expect(await found.peer.call('connect', { ip: c.ip, port: 8080 })).toMatchObject({ name: 'c' });
});

it('takes away the routes and rules of what the table no longer has', async () => {
  await first.agent.call('apply', tableOf([first], first, []));
  try {
    expect(first.netns.run('ip', 'route')).not.toContain('10.244.4.0/22');
    const rules = first.netns.run('nft', 'list', 'table', 'ip', 'orc');
    expect(rules).not.toMatch(/(service|endpoint|clients)\//);
  } finally {
    await first.agent.call('apply', tableOf(cluster.hosts, first, services()));
  }
});
