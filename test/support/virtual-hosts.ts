import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NetworkTable, PodNetwork, ServiceEntry } from '../../agent/ports.ts';
import type { HostPort } from '../../api/pod-facts.ts';
import type { JsonChild } from './json-child.ts';
import { makeNetns, type Netns } from './netns.ts';

/** Hosts on one Ethernet: namespaces on a bridge, which is in a namespace of its own. */
export interface VirtualHosts {
  readonly hosts: readonly VirtualHost[];
  /** A machine on the same Ethernet that is no node and knows nothing of pods. */
  readonly stranger: { readonly address: string; readonly peer: JsonChild };
  /** Everyone's table: the services are the same on all nodes. */
  applyEverywhere(services: readonly ServiceEntry[]): Promise<void>;
  end(): Promise<void>;
}

export interface VirtualHost {
  readonly address: string;
  readonly netns: Netns;
  readonly runDir: string;
  /** The agent's network; {@link restartAgent} puts another in its place. */
  agent: JsonChild;
  /** A process in the host's own namespace. */
  readonly peer: JsonChild;
  readonly pods: VirtualPod[];
}

export interface VirtualPod {
  readonly uid: string;
  readonly ip: string;
  readonly netns: Netns;
  readonly peer: JsonChild;
}

export const dnsServiceIp = '10.96.0.10';

export async function makeVirtualHosts(count: number): Promise<VirtualHosts> {
  const bridge = await makeNetns();
  bridge.run('ip', 'link', 'add', 'br0', 'type', 'bridge');
  bridge.run('ip', 'link', 'set', 'br0', 'up');
  const hosts: VirtualHost[] = [];
  for (let i = 1; i <= count; i++) hosts.push(await makeHost(bridge, i));
  const stranger = await makeMachine(bridge, count + 1);
  return {
    hosts,
    stranger,
    async applyEverywhere(services) {
      for (const host of hosts) await host.agent.call('apply', tableOf(hosts, host, services));
    },
    async end() {
      for (const host of hosts) await endHost(host);
      await endMachine(stranger);
      await bridge.end();
    },
  };
}

export function tableOf(
  hosts: readonly VirtualHost[],
  host: VirtualHost,
  services: readonly ServiceEntry[],
): NetworkTable {
  const podCidr = (of: VirtualHost) => `10.244.${hosts.indexOf(of) * 4}.0/22`;
  return {
    podCidr: podCidr(host),
    clusterPodCidr: '10.244.0.0/14',
    serviceCidr: '10.96.0.0/16',
    clusterDomain: 'cluster.local',
    dnsServiceIp,
    nodes: hosts.map((of, i) => ({
      name: `host${i + 1}`,
      address: of.address,
      podCidr: podCidr(of),
    })),
    services,
  };
}

export async function addPod(
  host: VirtualHost,
  uid: string,
  hostPorts: readonly HostPort[] = [],
): Promise<VirtualPod> {
  const netns = await makeNetns();
  const request = { uid, networkNamespace: netns.path, hostPorts };
  const { podIp } = await host.agent.call<PodNetwork>('attach', request);
  const pod = { uid, ip: podIp, netns, peer: netns.start('net-peer.ts') };
  host.pods.push(pod);
  return pod;
}

/** The agent crashes and another takes its place. */
export async function restartAgent(host: VirtualHost): Promise<void> {
  await host.agent.kill();
  host.agent = await startAgent(host.netns, host.runDir);
}

interface Machine {
  readonly address: string;
  readonly netns: Netns;
  readonly peer: JsonChild;
}

async function makeMachine(bridge: Netns, number: number): Promise<Machine> {
  const netns = await makeNetns();
  const address = `172.30.7.${number}`;
  const port = `port${number}`;
  const veth = ['link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns'];
  bridge.run('ip', ...veth, `${netns.pid}`);
  bridge.run('ip', 'link', 'set', port, 'master', 'br0', 'up');
  netns.run('ip', 'link', 'set', 'eth0', 'mtu', '1450', 'up');
  netns.run('ip', 'address', 'add', `${address}/24`, 'dev', 'eth0');
  return { address, netns, peer: netns.start('net-peer.ts') };
}

async function makeHost(bridge: Netns, number: number): Promise<VirtualHost> {
  const machine = await makeMachine(bridge, number);
  const runDir = await mkdtemp(join(tmpdir(), 'orc-network-'));
  const agent = await startAgent(machine.netns, runDir);
  return { ...machine, runDir, agent, pods: [] };
}

async function startAgent(netns: Netns, runDir: string): Promise<JsonChild> {
  const agent = netns.start('network-child.ts');
  await agent.call('open', { runDir });
  return agent;
}

async function endHost(host: VirtualHost): Promise<void> {
  for (const pod of host.pods) {
    await pod.peer.end();
    await pod.netns.end();
  }
  await host.agent.end();
  await endMachine(host);
  await rm(host.runDir, { recursive: true, force: true });
}

async function endMachine({ peer, netns }: Machine): Promise<void> {
  await peer.end();
  await netns.end();
}
