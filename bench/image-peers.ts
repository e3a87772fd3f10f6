import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ensurePackages } from '../dev/images/packages.ts';
import { openContainerd } from '../test/support/containerd-engine.ts';
import { type Engine, openDocker } from '../test/support/docker-engine.ts';
import { startJsonChild } from '../test/support/json-child.ts';
import { openPodman, podmanPackages } from '../test/support/podman-engine.ts';

/** Something that pulls images. */
export interface ImagePeer {
  readonly name: string;
  /** A new one, without images: everything that it keeps is below the directory. */
  start(directory: string): Promise<StartedPeer>;
}

export interface StartedPeer {
  /** Of what was started: all its processes are below this one. */
  readonly pid: number;
  /** Resolves when the image is unpacked; `onClient` gets the pid of the program that asks for it, if there is one. */
  pull(reference: string, onClient: (pid: number) => void): Promise<void>;
  stop(): Promise<void>;
}

/** For where there is a way to Debian's mirror. */
export async function fetchPeers(cacheDir: string): Promise<void> {
  await ensurePackages(['docker.io', 'containerd', ...podmanPackages, ...beside], cacheDir);
}

/** docker and containerd have gzip undone by unpigz if they find it, which is faster than what they do themselves. */
const beside = ['pigz', 'runc'];

/** `registry`: HOST:PORT in this network namespace, without TLS. */
export function imagePeers(registry: string, cacheDir: string): readonly ImagePeer[] {
  const common = { cacheDir, beside, sharesNetwork: true };
  return [
    { name: 'orc', start: (dir) => startOrc(dir, registry) },
    {
      name: 'docker 20.10',
      start: async (dir) => peerOf(await openDocker({ dir, ...common }), ['pull', '--quiet']),
    },
    {
      name: 'containerd 1.6',
      start: async (dir) =>
        peerOf(await openContainerd({ dir, ...common }), ['images', 'pull', '--plain-http']),
    },
    {
      name: 'podman 4.3',
      start: async (dir) =>
        peerOf(await openPodman({ dir, ...common }), ['pull', '--quiet', '--tls-verify=false']),
    },
  ];
}

/** The agent's image store without the rest of the agent. */
async function startOrc(directory: string, registry: string): Promise<StartedPeer> {
  const program = join(import.meta.dirname, 'image-child.ts');
  // As `orc` starts Node.
  const malloc = ['ARENA_MAX=1', 'TRIM_THRESHOLD_=131072', 'MMAP_THRESHOLD_=131072'];
  const node = [process.execPath, '--max-semi-space-size=2', program];
  const child = startJsonChild('env', [
    ...malloc.map((setting) => `MALLOC_${setting}`),
    ...[...node, join(directory, 'images'), registry],
  ]);
  await child.call('ready');
  return {
    pid: child.pid,
    pull: (reference) => child.call('pull', { reference }),
    stop: () => child.end(),
  };
}

async function peerOf(engine: Engine, pull: readonly string[]): Promise<StartedPeer> {
  return {
    pid: engine.pid,
    async pull(reference, onClient) {
      const client = engine.start(...pull, reference);
      onClient(client.pid ?? 0);
      const code = await exitOf(client);
      if (code !== 0) throw new Error(`${client.spawnargs.join(' ')} ended with ${code}`);
    },
    stop: engine.stop,
  };
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
}
