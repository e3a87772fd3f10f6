import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePorts } from '../test/support/etcd.ts';
import { processorSeconds } from './processor-time.ts';
import type { Target } from './raw-client.ts';
import { memoryBelow } from './resident-memory.ts';

export interface Peer extends Target {
  /** Seconds so far. */
  processor(): Promise<number>;
  /** MB that are resident. */
  memory(): Promise<number>;
  stop(): Promise<void>;
}

const root = join(import.meta.dirname, '..');

/** `orc controller` as a user starts it, with its data in `dir`; `etcd`: the store's URLs, or none for the embedded one. */
export async function startController(dir: string, etcd: readonly string[]): Promise<Peer> {
  const [port = 0, agents = 0] = await freePorts(2);
  const addresses = [
    '--api-address',
    `127.0.0.1:${port}`,
    '--agent-address',
    `127.0.0.1:${agents}`,
  ];
  const store = etcd.flatMap((url) => ['--etcd', url]);
  const command = [join(root, 'orc'), 'controller', '--data-dir', dir, ...addresses, ...store];
  return peer(await ready(command, dir), { dir, port });
}

/** The bare server, with the certificates of the controller in `dir`. */
export async function startFloor(dir: string, place: string): Promise<Peer> {
  const [port = 0] = await freePorts(1);
  const program = join(root, 'bench/api-floor.ts');
  const command = [process.execPath, program, String(port), join(dir, 'pki'), place];
  return peer(await ready(command, `${dir}-floor`), { dir, port });
}

async function peer(child: ChildProcess, { dir, port }: { dir: string; port: number }) {
  const read = (name: string) => readFile(join(dir, 'pki', name), 'utf8');
  const [ca, cert, key] = await Promise.all([read('ca.crt'), read('admin.crt'), read('admin.key')]);
  return {
    ...{ port, tls: { ca, cert, key } },
    memory: async () => (await memoryBelow(child.pid ?? 0)).reduce((sum, { rss }) => sum + rss, 0),
    processor: () => processorSeconds(child.pid ?? 0),
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** With a parent-death signal: a bench that is killed leaves none. */
async function ready(command: readonly string[], name: string): Promise<ChildProcess> {
  const log = await open(`${name}.log`, 'a');
  const dying = ['--pdeathsig', 'KILL', '--', ...command];
  const child = spawn('setpriv', dying, { stdio: ['ignore', 'pipe', log.fd] });
  const { stdout } = child;
  if (!stdout) throw new Error('setpriv has no output');
  await log.close();
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: stdout }).on('line', (line) => {
      if (/\bready\b/.test(line)) resolve();
    });
    child.once('exit', () => reject(new Error(`${command.join(' ')} ended: see ${name}.log`)));
  });
  return child;
}
