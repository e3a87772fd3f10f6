import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
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

/** Two hosts with a pod each, which says its name on TCP and UDP 8080, and a machine that is no node. */
let cluster: VirtualHosts;
let first: VirtualHost;
let second: VirtualHost;
let a: VirtualPod;
let c: VirtualPod;

beforeAll(async () => {
  cluster = await makeVirtualHosts(2);
  [first, second] = cluster.hosts as [VirtualHost, VirtualHost];
  await cluster.applyEverywhere([]);
  a = await named(first, 'a', 'UDP');
  c = await named(second, 'c', 'TCP');
  await cluster.applyEverywhere(services());
});

afterAll(() => cluster?.end());

/** With the port 5300 of its host, of this protocol. */
async function named(host: VirtualHost, name: string, protocol: 'TCP' | 'UDP') {
  const hostPort = { protocol, hostIp: undefined, hostPort: 5300, containerPort: 8080 };
  const pod = await addPod(host, `pod-${name}`, [hostPort]);
  await pod.peer.call('serveTcp', { port: 8080, name });
  await pod.peer.call('serveUdp', { port: 8080, name });
  return pod;
}

const services = (): readonly ServiceEntry[] => [
  service('on-a', 30_001, [a]),
  service('on-c', 30_002, [c]),
  service('on-none', 30_003, []),
  { ...service('sticky', 30_004, [a, c]), sessionAffinityMs: 60_000 },
];

function service(name: string, nodePort: number, pods: readonly VirtualPod[]): ServiceEntry {
  const endpoints = pods.map(({ ip }) => ({ ip, port: 8080 }));
  const port = { name: '', port: 80, nodePort, endpoints };
  return {
    namespace: 'default',
    name,
    clusterIp: `10.96.1.${nodePort % 100}`,
    sessionAffinityMs: undefined,
    ports: [
      { ...port, protocol: 'TCP' },
      { ...port, protocol: 'UDP' },
    ],
    addresses: [],
    externalName: undefined,
  };
}

describe('a node port', () => {
  it('leads from outside by any node to a pod on any node', async () => {
    const { peer, address } = cluster.stranger;
    const ask = async (node: VirtualHost, port: number) => {
      const at = { ip: node.address, port };
      const answer = await peer.call('connect', at);
      expect(await peer.call('udp', at)).toEqual(answer);
      return answer;
    };
    expect(await ask(first, 30_001)).toEqual({ name: 'a', client: address });
    expect(await ask(second, 30_002)).toEqual({ name: 'c', client: address });
    // By way of a node without the pod: what comes back must pass that node too.
    expect(await ask(first, 30_002)).toEqual({ name: 'c', client: first.address });
    expect(await ask(second, 30_001)).toEqual({ name: 'a', client: second.address });
  });

  it('leads pods and nodes there as well, even a pod to itself', async () => {
    for (const peer of [a.peer, c.peer, first.peer, second.peer])
      for (const { address } of cluster.hosts) {
        const answer = await peer.call('connect', { ip: address, port: 30_001 });
        expect(answer).toMatchObject({ name: 'a' });
        expect(await peer.call('udp', { ip: address, port: 30_002 })).toMatchObject({ name: 'c' });
      }
  });

  it('is not open on loopback addresses, nor on an address of another machine', async () => {
    const { peer, address } = cluster.stranger;
    await peer.call('serveTcp', { port: 30_001, name: 'stranger' });
    const local = await first.peer.call('connect', { ip: '127.0.0.1', port: 30_001 });
    expect(local).toMatchObject({ error: 'ECONNREFUSED' });
    const there = await a.peer.call('connect', { ip: address, port: 30_001 });
    expect(there).toMatchObject({ name: 'stranger' });
  });

  it('refuses at once when the service has no endpoint', async () => {
    const at = { ip: first.address, port: 30_003 };
    expect(await cluster.stranger.peer.call('connect', at)).toMatchObject({
      error: 'ECONNREFUSED',
    });
  });

  it('keeps a client with one endpoint when the service asks for it', async () => {
    const names = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const at = { ip: first.address, port: 30_004 };
      names.add((await cluster.stranger.peer.call<{ name: string }>('connect', at)).name);
    }
    expect(names.size).toBe(1);
  });

  it('is closed when the service has it no more', async () => {
    const at = { ip: first.address, port: 30_002 };
    const without = services().filter(({ name }) => name !== 'on-c');
    try {
      await first.agent.call('apply', tableOf(cluster.hosts, first, without));
      const answer = await cluster.stranger.peer.call('connect', at);
      expect(answer).toMatchObject({ error: 'ECONNREFUSED' });
    } finally {
      await first.agent.call('apply', tableOf(cluster.hosts, first, services()));
    }
    expect(await cluster.stranger.peer.call('connect', at)).toMatchObject({ name: 'c' });
  });
});

describe('a host port', () => {
  const at = (host: VirtualHost) => ({ ip: host.address, port: 5300 });

  it('leads on its node, by its protocol, to its pod, which sees the client', async () => {
    const { peer, address } = cluster.stranger;
    expect(await peer.call('udp', at(first))).toEqual({ name: 'a', client: address });
    expect(await peer.call('connect', at(first))).toMatchObject({ error: 'ECONNREFUSED' });
    expect(await peer.call('connect', at(second))).toEqual({ name: 'c', client: address });
    expect(await a.peer.call('connect', at(second))).toEqual({ name: 'c', client: a.ip });
    expect(await second.peer.call('connect', at(second))).toMatchObject({ name: 'c' });
    expect(await c.peer.call('connect', at(second))).toMatchObject({ name: 'c' });
  });

  it('is open on the one address that the pod names', async () => {
    const other = '172.30.7.99';
    first.netns.run('ip', 'address', 'add', `${other}/32`, 'dev', 'eth0');
    const port = { protocol: 'TCP', hostPort: 5301, containerPort: 8080 } as const;
    const pod = await addPod(first, 'pod-at', [{ ...port, hostIp: other }]);
    await pod.peer.call('serveTcp', { port: 8080, name: 'at' });
    const ask = (ip: string) => cluster.stranger.peer.call('connect', { ip, port: 5301 });
    expect(await ask(other)).toMatchObject({ name: 'at' });
    expect(await ask(first.address)).toMatchObject({ error: 'ECONNREFUSED' });
  });

  it('outlives the agent, goes with its pod, and a client of UDP finds the next one', async () => {
    const ask = () =>
      cluster.stranger.peer.call('udp', { ...at(first), sourcePort: 4445, timeoutMs: 500 });
    await restartAgent(first);
    await first.agent.call('apply', tableOf(cluster.hosts, first, services()));
    expect(await ask()).toMatchObject({ name: 'a' });
    await first.agent.call('detach', { uid: a.uid });
    expect(await ask()).toMatchObject({ error: 'ECONNREFUSED' });
    const next = await named(first, 'next', 'UDP');
    expect(await ask()).toMatchObject({ name: 'next' });
    await first.agent.call('detach', { uid: next.uid });
  });
});

describe("a name that isn't the cluster's", () => {
  const many = Array.from({ length: 100 }, (_, i) => `192.0.2.${i + 1}`);
  const known = { 'www.example.org': ['192.0.2.7'], 'long.example.org': many };
  const silent = '172.30.7.250';
  const external: ServiceEntry = {
    ...service('external', 30_005, []),
    clusterIp: undefined,
    ports: [],
    externalName: 'www.example.org',
  };

  beforeAll(() => cluster.stranger.peer.call('serveDns', known));
  afterEach(() => askServers());

  /** Makes these the node's servers. */
  const askServers = async (...servers: readonly string[]) => {
    const lines = servers.map((server) => `nameserver ${server}\n`);
    await writeFile(join(second.runDir, 'resolv.conf'), lines.join(''));
    await second.agent.call('apply', tableOf(cluster.hosts, second, [...services(), external]));
  };
  const resolve = (name: string) =>
    c.peer.call('resolve', { server: dnsServiceIp, name, type: 'A', timeoutMs: 5000 });

  it("is looked up at the node's own servers, over TCP if it must be", async () => {
    await askServers(cluster.stranger.address);
    expect(await resolve('www.example.org')).toEqual(['192.0.2.7']);
    expect(await resolve('long.example.org')).toEqual(many);
    expect(await resolve('nobody.example.org')).toEqual({ error: 'ENOTFOUND' });
    expect(await resolve('external.default.svc.cluster.local')).toEqual(['192.0.2.7']);
    expect(await resolve('on-c.default.svc.cluster.local')).toEqual(['10.96.1.2']);
  });

  it('is looked up at the next when one is silent or has no server', async () => {
    await askServers(silent, first.address, cluster.stranger.address);
    expect(await resolve('www.example.org')).toEqual(['192.0.2.7']);
  });

  it('holds up no name of the cluster, however many wait for an answer', async () => {
    await askServers(silent);
    const waiting = Array.from({ length: 300 }, (_, i) => resolve(`${i}.example.org`));
    expect(await resolve('on-c.default.svc.cluster.local')).toEqual(['10.96.1.2']);
    expect(new Set((await Promise.all(waiting)).map((it) => JSON.stringify(it)))).toEqual(
      new Set(['{"error":"ESERVFAIL"}']),
    );
  });

  it('fails when no server answers, and is refused when there is none but this one', async () => {
    await askServers(first.address);
    expect(await resolve('www.example.org')).toEqual({ error: 'ESERVFAIL' });
    await askServers(dnsServiceIp);
    expect(await resolve('www.example.org')).toEqual({ error: 'EREFUSED' });
  });
});
