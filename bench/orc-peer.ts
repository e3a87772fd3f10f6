import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type ApiClient, connect } from '../cli/client.ts';
import { readConnection } from '../cli/kubeconfig.ts';
import { type Run, runProgram } from '../test/support/run-program.ts';
import { waitFor } from '../test/support/wait-for.ts';

/** `orc dev` with one host and the image registry:5000/hello:1, as `make build` made it. */
export interface Orc {
  readonly api: ApiClient;
  /** The command line. */
  run(...args: readonly string[]): Promise<Run>;
  /** When the last of these pods was seen Running by a watch, in performance.now()'s time. */
  running(names: readonly string[]): Promise<number>;
  gone(names: readonly string[]): Promise<void>;
  /** Of `orc dev`: all the others are below it. */
  readonly pid: number;
  stop(): Promise<void>;
}

const root = join(import.meta.dirname, '..');

export async function startOrc(dir: string, cacheDir: string): Promise<Orc> {
  const dataDir = join(dir, 'orc');
  const program = join(root, 'orc');
  const log = await open(join(dir, 'orc.log'), 'w');
  const options = ['--nodes', '1', '--port', '0', '--data-dir', dataDir, '--ready-fd', '3'];
  const child = spawn(program, ['dev', ...options, '--registry', '--cache-dir', cacheDir], {
    stdio: ['ignore', log.fd, log.fd, 'pipe'],
  });
  await log.close();
  await Promise.race([
    once(child.stdio[3]!, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error(`orc dev ended: see ${dir}/orc.log`))),
  ]);
  await pushHello(dataDir, cacheDir);
  const kubeconfig = join(dataDir, 'kubeconfig');
  const api = connect(await readConnection(kubeconfig), () => {});
  const pods = await watchPods(api);
  return {
    api,
    run: (...args) => runProgram(program, args, { env: { KUBECONFIG: kubeconfig } }),
    async running(names) {
      await waitFor('running pods', () => names.every((name) => pods.has(name)), 60_000);
      return Math.max(...names.map((name) => pods.get(name)!));
    },
    gone: async (names) =>
      void (await waitFor('pods that end', () => !names.some((name) => pods.has(name)), 60_000)),
    pid: child.pid ?? 0,
    async stop() {
      api.close();
      child.kill('SIGINT');
      await once(child, 'exit');
    },
  };
}

interface PodEvent {
  readonly type: string;
  readonly object: {
    readonly metadata: { readonly name: string };
    readonly status?: { readonly phase?: string };
  };
}

/** The moment at which each pod was first seen Running; deleted ones are gone from it. */
async function watchPods(api: ApiClient): Promise<ReadonlyMap<string, number>> {
  const seen = new Map<string, number>();
  const input = await api.open({ path: '/api/v1/pods', query: { watch: 'true' } });
  const lines = createInterface({ input });
  lines.on('line', (line) => {
    const { type, object } = JSON.parse(line) as PodEvent;
    const { name } = object.metadata;
    if (type === 'DELETED') seen.delete(name);
    else if (object.status?.phase === 'Running' && !seen.has(name))
      seen.set(name, performance.now());
  });
  // Its end is the cluster's.
  lines.on('error', () => {});
  return seen;
}

/** The registry is reached only from the hosts' network. */
async function pushHello(dataDir: string, cacheDir: string): Promise<void> {
  const hosts = JSON.parse(await readFile(join(dataDir, 'hosts.json'), 'utf8'));
  const push = [join(root, 'test/support/push-images-child.ts'), cacheDir, 'hello'];
  const inside = ['--target', `${hosts.registry}`, '--net', '--', process.execPath, ...push];
  const { code, err } = await runProgram('nsenter', inside);
  if (code !== 0) throw new Error(`pushing images: ${err}`);
}

/** A pod that runs the image as it is. */
export const helloPod = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'hello', image: 'registry:5000/hello:1' }],
  },
});
