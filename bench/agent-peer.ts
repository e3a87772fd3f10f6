import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openNetwork } from '../agent/network/network.ts';
import type { ContainerSpec, NetworkPort, NetworkTable } from '../agent/ports.ts';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { systemRng } from '../base/rng.ts';
import { sandboxSpec } from '../test/contract/sandbox-port.contract.ts';
import { runProgram } from '../test/support/run-program.ts';
import { openRuntimeHost, type RuntimeHost } from '../test/support/runtime-host.ts';
import { atOnce, type Contender, inBurst, makeRoot, type Times } from './floor-peer.ts';

/** The agent's runtime and network, below the pods' workers: what a step of theirs calls. */
export interface AgentPeer {
  readonly host: RuntimeHost;
  readonly container: Contender;
  readonly pod: Contender;
  stop(): Promise<void>;
}

const never = new AbortController().signal;

/** In the network namespace of this process, which must be its own. */
export async function startAgentPeer(program: string): Promise<AgentPeer> {
  const host = await openRuntimeHost();
  await makeRoot(host.layers[0]!, program);
  // As /run is: exits are synced.
  await runProgram('mount', ['-t', 'tmpfs', '-m', 'tmpfs', `${host.dir}/run`]);
  const dir = await mkdtemp(join(tmpdir(), 'orc-bench-network-'));
  const resolvConf = join(dir, 'resolv.conf');
  const common = { clock: systemClock(), rng: systemRng(), log: silentLog };
  const network = await openNetwork({ dataDir: dir, resolvConf, ...common });
  await network.apply(table);
  const agent = { host, network, ends: watchEnds(host), specs: specsOf(host) };
  // In which containers are started beside one another.
  for (let i = 0; i < atOnce; i++) await makePod(agent, `warm${i}`);
  return {
    host,
    container: containerContender(agent),
    pod: podContender(agent),
    async stop() {
      for (let i = 0; i < atOnce; i++) await removePod(agent, `warm${i}`);
      await network.close();
      await runProgram('umount', ['-l', `${host.dir}/run`]);
      await host.end();
      await rm(dir, { recursive: true });
    },
  };
}

interface Agent {
  readonly host: RuntimeHost;
  readonly network: NetworkPort;
  /** Resolves with the next exit of a container of the pod, or its shim's. */
  readonly ends: (uid: string) => Promise<void>;
  readonly specs: (uid: string, attempt: number) => ContainerSpec;
}

function containerContender(agent: Agent): Contender {
  let next = 0;
  const once = (uid: string) => runContainer(agent, uid, next++);
  return {
    name: 'orc: container',
    once: () => once('warm0'),
    burst: (count) => inBurst(count, (place) => once(`warm${place}`)),
  };
}

async function runContainer(agent: Agent, uid: string, attempt: number): Promise<Times> {
  const { containers } = agent.host.runtime;
  const spec = agent.specs(uid, attempt);
  const begun = performance.now();
  const end = agent.ends(uid);
  await containers.start(spec, never);
  const started = performance.now() - begun;
  await end;
  const exited = performance.now() - begun;
  await containers.remove(spec.id);
  return { started, exited, deleted: performance.now() - begun };
}

function podContender(agent: Agent): Contender {
  let next = 0;
  const once = async (): Promise<Times> => {
    const uid = `pod${next++}`;
    const begun = performance.now();
    await makePod(agent, uid);
    const end = agent.ends(uid);
    await agent.host.runtime.containers.start(agent.specs(uid, 0), never);
    const started = performance.now() - begun;
    await end;
    const exited = performance.now() - begun;
    await removePod(agent, uid);
    return { started, exited, deleted: performance.now() - begun };
  };
  return { name: 'orc: pod and container', once, burst: (count) => inBurst(count, once) };
}

/** As agent/pods/pod-steps.ts does, the second `ensure` too. */
async function makePod({ host, network }: Agent, uid: string): Promise<void> {
  const { sandboxes } = host.runtime;
  const spec = sandboxSpec(uid);
  const { networkNamespace } = await sandboxes.ensure(spec, never);
  if (networkNamespace === undefined) throw new Error(`${uid} has no network namespace`);
  const { podIp } = await network.attach({
    uid,
    networkNamespace,
    runInside: (ops) => sandboxes.runInNetwork(uid, ops),
    hostPorts: [],
  });
  await sandboxes.ensure({ ...spec, hosts: `${podIp} ${uid}\n` }, never);
}

async function removePod({ host, network }: Agent, uid: string): Promise<void> {
  await network.detach(uid);
  await host.runtime.sandboxes.remove(uid);
}

function specsOf(host: RuntimeHost) {
  return (uid: string, attempt: number): ContainerSpec =>
    host.spec('', {
      id: { uid, name: 'web', attempt },
      logPath: `${host.dir}/logs/default_pod_${uid}/web/${attempt}.log`,
      command: ['/true'],
    });
}

function watchEnds({ runtime }: RuntimeHost): Agent['ends'] {
  const waiting = new Map<string, () => void>();
  runtime.containers.onChange((uid) => waiting.get(uid)?.());
  return (uid) => new Promise((resolve) => waiting.set(uid, resolve));
}

const table: NetworkTable = {
  podCidr: '10.244.0.0/22',
  clusterPodCidr: '10.244.0.0/14',
  serviceCidr: '10.96.0.0/16',
  clusterDomain: 'cluster.local',
  dnsServiceIp: '10.96.0.10',
  nodes: [],
  services: [],
};
