import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Base } from '../base/base.ts';
import { sleep, systemClock } from '../base/clock.ts';
import { about } from '../base/error-chain.ts';
import { UsageError } from '../base/flags.ts';
import { lockDirectory } from '../base/lock-directory.ts';
import { openLog } from '../base/log.ts';
import { type Metrics, openMetrics } from '../base/metrics.ts';
import { PinnedHttpsError } from '../base/pinned-https.ts';
import { measureProcess } from '../base/process-metrics.ts';
import { systemRng } from '../base/rng.ts';
import { runCommand } from '../base/run-command.ts';
import { openService } from '../base/service.ts';
import { terminated } from '../base/termination.ts';
import { nativeBinary } from '../native/binary.ts';
import { type AgentConfig, agentHelp, readAgentConfig } from './config.ts';
import { mustSuit } from './doctor/try-node.ts';
import { startHousekeeping } from './housekeeping/housekeeping.ts';
import { serveImages } from './images/image-api.ts';
import { openImageStore } from './images/image-store.ts';
import { runJoin } from './join-command.ts';
import { findCgroupTrees } from './kernel/cgroup-trees.ts';
import { openCgroups } from './kernel/cgroups.ts';
import { startLauncher } from './kernel/launcher.ts';
import type { Ledger } from './ledger/assignment.ts';
import { openLedger } from './ledger/disk-ledger.ts';
import { ensureNodeKey } from './ledger/node-key.ts';
import { openNetwork } from './network/network.ts';
import { measurePods, nodeAnswers } from './node-answers.ts';
import { nodeFacts } from './node-facts.ts';
import { keepNetwork } from './pods/keep-network.ts';
import type { PodEvent } from './pods/pod-context.ts';
import { openPodMemories } from './pods/pod-memory.ts';
import { podReach } from './pods/pod-reach.ts';
import { startPodWorkers } from './pods/pod-workers.ts';
import type { NodePorts } from './ports.ts';
import { readLogs } from './runtime/logs.ts';
import { openRuntime } from './runtime/runtime.ts';
import {
  joinCluster,
  type NodeIdentity,
  readIdentity,
  saveIdentity,
} from './session/node-identity.ts';
import { startSession } from './session/session.ts';
import { openVolumes } from './volumes/volumes.ts';

/** `orc agent`: runs until SIGTERM or SIGINT; pods go on without it. Gives the exit code. */
export function runAgent(argv: readonly string[]): Promise<number> {
  if (argv[0] === 'join') return runJoin(argv.slice(1));
  return runCommand({ name: 'orc agent', help: agentHelp, argv }, async () => {
    await using _agent = await startAgent(readAgentConfig(argv));
    console.log('orc agent: ready');
    await terminated();
  });
}

/** Taken down in the reverse order. */
async function startAgent(config: AgentConfig): Promise<AsyncDisposable> {
  const started = new AsyncDisposableStack();
  const clock = systemClock();
  const load = async () => (await import('../native/systemd.ts')).openSystemd();
  const service = await openService('orc-agent', config.service, { clock, load });
  const base: Base = { clock, rng: systemRng(), log: openLog(config.logLevel, service.logSink) };
  if (process.getuid?.() !== 0)
    throw new UsageError('it makes namespaces, mounts and cgroups: run it as root (sudo)');
  const logDir = join(config.dataDir, 'logs');
  const pki = join(config.dataDir, 'pki');
  started.use(await takeGround(config, logDir));
  const identity = (await readIdentity(pki)) ?? (await joinFirst(config, pki, base));
  const key = await ensureNodeKey(join(pki, 'node.key'), base.rng);
  const ledger = await openLedger({ dir: join(config.dataDir, 'ledger'), key, ...base });
  const memories = await openPodMemories(join(config.dataDir, 'memory'));
  const node = await openPorts(config, { logDir, ledger, identity, base });
  started.defer(node.close);
  const { ports, runtime } = node;
  started.defer(keepNetwork({ ledger, network: ports.network, ...base }));
  const metrics = openMetrics();
  const events = eventOutbox(metrics);
  const workers = await startPodWorkers({
    ...{ ports, ledger, memories, events, logDir, workers: 8, metrics, ...base },
    nodeName: config.nodeName,
    hostIp: config.address,
    nodeResolvConf: await readFile(resolvConf, 'utf8').catch(() => ''),
  });
  started.defer(() => workers.stop());
  const session = startSession({
    ...{ identity, ledger, statuses: workers, ...base },
    controllers: config.controller,
    nodeName: config.nodeName,
    async onRenewed(renewed) {
      await saveIdentity(pki, renewed);
      await node.images.renewIdentity(renewed);
    },
    describeNode: () => nodeFacts({ ...config, addresses: [config.address] }),
    handlers: {
      ...podReach({ ledger, ...ports, logDir, readLogs }),
      query: nodeAnswers({ metrics, ports, ...base }),
    },
  });
  started.defer(() => session.stop());
  events.sendTo((event) =>
    session.reportEvent({ ...event, podUid: event.uid, fieldPath: event.fieldPath ?? '' }),
  );
  measureProcess(metrics);
  measurePods(metrics, workers);
  metrics.gauge('orc_leader_connected', 'Whether there is a link to a controller that leads.', {
    read: () => Number(session.connected),
  });
  const neededImages = async () => (await runtime.imagesInUse()).union(workers.neededImages());
  const desk = { store: node.images, needed: neededImages, clock };
  started.defer(await serveImages(join(config.runDir, 'images.sock'), desk));
  started.defer(
    startHousekeeping({
      ...{ dataDir: config.dataDir, limits: config.limits, images: ports.images, ...base },
      neededImages,
      containerUsages: runtime.usages,
      reportUsage: session.reportUsage,
      reportConditions: session.reportConditions,
      onFullDisk: (message) => events.record({ ...ofNode, reason: 'FreeDiskSpaceFailed', message }),
    }),
  );
  const link = () =>
    session.connected ? 'connected to the leader' : 'no link to a leading controller';
  const status = () => `${ledger.pods().size} pods; ${link()}`;
  started.defer(service.ready({ status, isAlive: () => node.launcher.answers() }));
  return started;
}

/** Its directories are this process's alone, and the machine can do what it must. */
async function takeGround({ dataDir, runDir }: AgentConfig, logDir: string): Promise<Disposable> {
  const lock = await about(`--data-dir ${dataDir}`, lockDirectory(dataDir, 'store.key'));
  for (const dir of [runDir, logDir]) await mkdir(dir, { recursive: true, mode: 0o700 });
  await mustSuit(dataDir);
  return lock;
}

const ofNode = { uid: '', namespace: '', name: '', fieldPath: undefined, type: 'Warning' } as const;

/** The node's own: where names that aren't the cluster's are asked for. */
const resolvConf = '/etc/resolv.conf';

type Standing = Readonly<{ logDir: string; ledger: Ledger; identity: NodeIdentity; base: Base }>;

async function openPorts(config: AgentConfig, { logDir, ledger, identity, base }: Standing) {
  const { dataDir, runDir, logLimits, runtimes, nodeName } = config;
  const launcher = startLauncher({ binary: nativeBinary, log: base.log });
  const trees = await findCgroupTrees();
  const cgroups = await openCgroups({ parent: config.cgroupParent, trees, clock: base.clock });
  const dirs = { dataDir, runDir, logDir };
  const runtime = await openRuntime({ ...dirs, logLimits, runtimes, cgroups, launcher, ...base });
  const network = await openNetwork({ dataDir, resolvConf, ...base });
  const images = await openImageStore({
    directory: join(dataDir, 'images'),
    writer: [nativeBinary, 'orc-unpack'],
    network: {
      insecure: config.insecureRegistry,
      proxySocket: config.registryProxy,
      registries: config.registries,
      dockerConfig: config.dockerConfig,
      proxies: config.proxies,
      connectTimeoutMs: 10_000,
      idleTimeoutMs: 30_000,
    },
    peers: {
      ...{ nodeName, identity, address: config.address, port: config.peerPort },
      others: () => ledger.network()?.nodes.filter(({ name }) => name !== nodeName) ?? [],
    },
    ...base,
  });
  const volumes = openVolumes({ volumesDir: join(dataDir, 'volumes') });
  const { sandboxes, containers } = runtime;
  const ports: NodePorts = { images, sandboxes, containers, volumes, network };
  return {
    ports,
    images,
    runtime,
    launcher,
    async close() {
      runtime.close();
      launcher.close();
      await network.close();
      await images.close();
    },
  };
}

const joinRetryMs = 1000;

/** A controller that isn't there yet is waited for; a token that it refuses is the end. */
async function joinFirst(config: AgentConfig, dir: string, base: Base): Promise<NodeIdentity> {
  if (!config.join)
    throw new UsageError('this machine has not joined a cluster: give --join and --token');
  for (;;) {
    try {
      return await joinCluster({ ...config.join, nodeName: config.nodeName, dir });
    } catch (err) {
      if (!(err instanceof PinnedHttpsError) || err.reason !== 'Unreachable') throw err;
      base.log.warn({ err, address: config.join.server, retryInMs: joinRetryMs }, 'joining again');
      await sleep(base.clock, joinRetryMs);
    }
  }
}

/** Pods are worked on before there is a session: what they say then waits here. */
function eventOutbox(metrics: Metrics) {
  const waiting: PodEvent[] = [];
  let send = (event: PodEvent): void => void waiting.push(event);
  return {
    record(event: PodEvent): void {
      const { type, reason } = event;
      metrics.count('orc_events_total', 'What happened to pods.', { type, reason });
      send(event);
    },
    sendTo(next: (event: PodEvent) => void): void {
      send = next;
      for (const event of waiting.splice(0)) next(event);
    },
  };
}
