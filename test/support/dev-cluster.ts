import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig, KubernetesObjectApi, PatchStrategy } from '@kubernetes/client-node';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { execInPod } from './exec-in-pod.ts';
import { findKubectls, runKubectl } from './kubectl.ts';
import { type Run, runProgram } from './run-program.ts';
import { type Until, watchUntil } from './watch-until.ts';

/** `orc dev`, brought up for a test file and worked with from outside, as a user does. */
export interface DevCluster {
  readonly dataDir: string;
  /** Its path. */
  readonly kubeconfig: string;
  /** The process of `orc dev`. */
  readonly pid: number;
  readonly client: KubeConfig;
  readonly objects: KubernetesObjectApi;
  /** Creates them all, in order, in the namespace "default" unless they say another. */
  create(...manifests: readonly Manifest[]): Promise<void>;
  /** Merges the fields given into the object (RFC 7396). */
  patch(change: Manifest): Promise<void>;
  /** Asks for its deletion, in the background; doesn't wait for its end. */
  remove(object: Manifest): Promise<void>;
  /** Watches a resource until `holds` gives something; the error of a deadline shows what there was instead. */
  readonly until: Until;
  /** Runs a command in a pod of the namespace "default", in its first container unless it is named. */
  exec(pod: string, command: readonly string[], container?: string): Promise<Run>;
  host(name: string): Host;
  /** Takes a host's cable out of the switch, or puts it in again. */
  cable(host: string, state: 'up' | 'down'): Promise<void>;
  /** The uids of the pods that a host has something of. */
  sandboxes(host: string): Promise<readonly string[]>;
  /** The same cluster, reached by one of several controllers. */
  through(controller: string): Promise<DevCluster>;
  orc(...args: readonly string[]): Promise<Run>;
  /** Throws where there is no kubectl: ask {@link findKubectls} first. */
  kubectl(...args: readonly string[]): Promise<Run>;
}

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

export interface Host {
  /** Of its first process, seen from outside. */
  readonly pid: number;
  exec(...command: readonly string[]): Promise<Run>;
}

export interface DevClusterOptions {
  readonly nodes?: number;
  /** Further arguments for `orc dev`. */
  readonly flags?: readonly string[];
  /** Built of Debian packages and pushed to the cluster's registry as registry:5000/NAME:1. */
  readonly images?: readonly ('hello' | 'nginx' | 'redis')[];
  /** By host: its data directory is a file system of its own, of so many MiB. */
  readonly smallDisks?: Readonly<Record<string, number>>;
}

/** Mounts in a namespace of its own, and becomes `orc dev` there. */
const onSmallDisks = `
  dir=$1; shift
  while [ "$1" != -- ]; do
    truncate -s "$2M" "$dir/$1.img" && mkfs.ext4 -q "$dir/$1.img" && mkdir "$dir/$1" &&
      mount -o loop "$dir/$1.img" "$dir/$1" || exit 1
    shift 2
  done
  shift; exec "$@"`;

const root = join(import.meta.dirname, '../..');
const cacheDir = join(root, '.cache');
export const orcProgram = join(root, 'orc');

/** Registers a cluster for the tests of this file; what is returned gives it, once the tests run. */
export function useDevCluster(options: DevClusterOptions = {}): () => DevCluster {
  let running: RunningCluster | undefined;
  beforeAll(async () => {
    running = await startDevCluster(options);
  }, 120_000);
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail' && running) console.error(await running.logTails());
  });
  afterAll(async () => {
    await running?.stop();
  }, 60_000);
  return () => {
    if (!running) throw new Error('the cluster is not up');
    return running.cluster;
  };
}

export interface RunningCluster {
  readonly cluster: DevCluster;
  logTails(): Promise<string>;
  /** Ends it as Ctrl-C does, and removes its directory. Throws if it ends otherwise than it should. */
  stop(): Promise<void>;
}

export async function startDevCluster(options: DevClusterOptions): Promise<RunningCluster> {
  const dataDir = await mkdtemp(join(tmpdir(), 'orc-e2e-'));
  const dev = await spawnDev(dataDir, options);
  const logTails = () => tailsOf(dataDir);
  const stop = async () => {
    const code = await dev.interrupt();
    const said = await readFile(join(dataDir, 'dev.log'), 'utf8');
    await rm(dataDir, { recursive: true, force: true });
    if (code !== 0) throw new Error(`orc dev ended with ${code}:\n${said}`);
  };
  if (!(await dev.ready)) {
    const tails = await logTails();
    await rm(dataDir, { recursive: true, force: true });
    throw new Error(`orc dev did not come up:\n${tails}`);
  }
  try {
    const cluster = await connectTo(dataDir, dev.pid);
    await pushImages(cluster, options.images ?? ['hello']);
    return { cluster, logTails, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** After that it is killed, which fails the test but leaves no process. */
const stopDeadlineMs = 30_000;

/** With a parent-death signal, so that a test process that is killed leaves no cluster. */
async function spawnDev(
  dataDir: string,
  { nodes = 3, flags = [], smallDisks = {} }: DevClusterOptions,
) {
  const disks = Object.entries(smallDisks).flatMap(([host, mib]) => [host, String(mib)]);
  const mounted = ['unshare', '--mount', 'sh', '-c', onSmallDisks, 'sh', dataDir, ...disks, '--'];
  const log = await open(join(dataDir, 'dev.log'), 'w');
  const child = spawn(
    'setpriv',
    [
      ...[
        '--pdeathsig',
        'TERM',
        '--',
        ...(disks.length > 0 ? mounted : []),
        orcProgram,
        'dev',
        '--nodes',
        `${nodes}`,
        '--port',
        '0',
      ],
      ...[
        '--data-dir',
        dataDir,
        '--registry',
        '--cache-dir',
        cacheDir,
        '--ready-fd',
        '3',
        ...storeFlags(flags),
        ...flags,
      ],
    ],
    { stdio: ['ignore', log.fd, log.fd, 'pipe'] },
  );
  await log.close();
  const ended = once(child, 'exit');
  const ready = new Promise<boolean>((resolve) => {
    child.stdio[3]?.once('data', () => resolve(true));
    child.once('error', () => resolve(false));
    child.once('exit', () => resolve(false));
  });
  return {
    pid: child.pid ?? 0,
    ready,
    async interrupt(): Promise<number | NodeJS.Signals> {
      child.kill('SIGINT');
      const late = setTimeout(() => child.kill('SIGKILL'), stopDeadlineMs);
      const [code, signal] = await ended;
      clearTimeout(late);
      return code ?? signal;
    },
  };
}

/** ORC_E2E_STORE=etcd or etcd3 runs every cluster on etcd that does not say itself what it needs. */
function storeFlags(flags: readonly string[]): readonly string[] {
  const store = process.env.ORC_E2E_STORE ?? 'sqlite';
  const members = { sqlite: '0', etcd: '1', etcd3: '3' }[store];
  if (members === undefined) throw new Error(`ORC_E2E_STORE: sqlite, etcd or etcd3, not ${store}`);
  return flags.includes('--etcd') ? [] : ['--etcd', members];
}

async function connectTo(dataDir: string, pid: number, file = 'kubeconfig'): Promise<DevCluster> {
  const kubeconfig = join(dataDir, file);
  const client = new KubeConfig();
  client.loadFromFile(kubeconfig);
  const objects = KubernetesObjectApi.makeApiClient(client);
  const hosts = JSON.parse(await readFile(join(dataDir, 'hosts.json'), 'utf8'));
  return {
    ...{ dataDir, kubeconfig, pid, client, objects },
    async create(...manifests) {
      for (const manifest of manifests) await objects.create(inDefault(manifest));
    },
    async patch(change) {
      const object = inDefault(change);
      const strategy = PatchStrategy.MergePatch;
      await objects.patch(object, undefined, undefined, undefined, undefined, strategy);
    },
    async remove(object) {
      await objects.delete(inDefault(object));
    },
    until: (resource, holds, deadlineMs) =>
      watchUntil({ client, resource, deadlineMs: deadlineMs ?? 30_000 }, holds),
    exec: (pod, command, container) => execInPod(client, { pod, command, container }),
    host: (name) => host(hosts[name]),
    async cable(name, state) {
      const { code, err } = await host(hosts.switch).exec('ip', 'link', 'set', name, state);
      if (code !== 0) throw new Error(`ip link set ${name} ${state}: ${err}`);
    },
    async sandboxes(name) {
      const own = (await readdir('/run')).find((dir) => dir.startsWith(`orc-dev-${pid}-`)) ?? '';
      return (await readdir(join('/run', own, name, 'pods'))).sort();
    },
    through: (controller) => connectTo(dataDir, pid, `${controller}.kubeconfig`),
    orc: (...args) => runProgram(orcProgram, [...args], { env: { KUBECONFIG: kubeconfig } }),
    async kubectl(...args) {
      const newest = findKubectls().at(-1);
      if (!newest) throw new Error('no kubectl on this machine');
      return runKubectl(newest, args, { kubeconfig, cacheDir: join(dataDir, 'kubectl') });
    },
  };
}

const inDefault = (manifest: Manifest): Manifest =>
  manifest.kind === 'Node'
    ? manifest
    : { ...manifest, metadata: { namespace: 'default', ...manifest.metadata } };

const host = (pid: number): Host => ({
  pid,
  exec: (...command) =>
    runProgram('nsenter', [
      ...['--target', `${pid}`, '--pid', '--net', '--mount', '--uts', '--ipc', '--'],
      ...command,
    ]),
});

/** The registry is reached only from the hosts' network. */
async function pushImages(cluster: DevCluster, names: readonly string[]): Promise<void> {
  const { pid } = cluster.host('registry');
  const child = join(import.meta.dirname, 'push-images-child.ts');
  const inside = ['--target', `${pid}`, '--net', '--', process.execPath, child, cacheDir, ...names];
  const { code, err } = await runProgram('nsenter', inside);
  if (code !== 0) throw new Error(`pushing images: ${err}`);
}

const tailLines = 25;

async function tailsOf(dataDir: string): Promise<string> {
  const logs = (await readdir(dataDir)).filter((name) => name.endsWith('.log')).sort();
  const tails = logs.map(async (name) => {
    const lines = (await readFile(join(dataDir, name), 'utf8')).trimEnd().split('\n');
    return [`--- ${name}`, ...lines.slice(-tailLines).map((line) => line.slice(0, 500))].join('\n');
  });
  return (await Promise.all(tails)).join('\n');
}
