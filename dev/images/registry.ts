import { type ChildProcess, spawn as spawnProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ensurePackages } from './packages.ts';

export interface RegistryOptions {
  /** IPv4. */
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
  /** Blobs, and the registry's configuration file. */
  readonly dataDir: string;
  /** Where Debian packages are kept; see ensurePackages. */
  readonly cacheDir: string;
  /** Starts the process elsewhere, in another network namespace say. Standard error must be a pipe. */
  readonly spawn?: (command: string, args: readonly string[], options: object) => ChildProcess;
}

/** Runs Debian's docker-registry (the CNCF distribution server) as a child process; resolves when it listens. */
export async function startRegistry(options: RegistryOptions) {
  const [distribution] = await ensurePackages(['docker-registry'], options.cacheDir);
  await mkdir(options.dataDir, { recursive: true });
  const configFile = join(options.dataDir, 'config.yml');
  await writeFile(configFile, configuration(options));
  const binary = join(distribution?.directory ?? '', 'usr/bin/docker-registry');
  const child = (options.spawn ?? spawnProcess)(binary, ['serve', configFile], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const listening = await listeningAddress(child);
  return { url: `http://${listening}`, stop: () => stop(child) };
}

export type Registry = Awaited<ReturnType<typeof startRegistry>>;

/** JSON is YAML. */
const configuration = ({ address, port, dataDir }: RegistryOptions): string =>
  JSON.stringify({
    version: 0.1,
    log: { level: 'info', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(dataDir, 'storage') }, delete: { enabled: true } },
    http: { addr: `${address}:${port}` },
  });

/** From its log: with port 0 nothing else tells, and from another network namespace nothing else can be asked. */
async function listeningAddress(child: ChildProcess): Promise<string> {
  if (child.stderr === null) throw new Error('docker-registry: standard error is not a pipe');
  const lines = createInterface({ input: child.stderr });
  const seen: string[] = [];
  return new Promise<string>((resolve, reject) => {
    lines.on('line', (line) => {
      const match = /listening on (\[::\]:\d+|[^\s"]+)/.exec(line);
      if (match?.[1] !== undefined) resolve(match[1]);
      else if (seen.length < 20) seen.push(line);
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`docker-registry ended: ${seen.join(' | ')}`)));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}
