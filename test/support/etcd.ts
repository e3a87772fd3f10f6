import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type EtcdMember, etcdArgs, etcdReady, findEtcd } from '../../dev/etcd.ts';
import { cacheDirectory } from './debian-image.ts';

/** Debian's etcd on this machine's loopback, with its data in a directory of its own. */
export interface TestEtcd {
  readonly urls: readonly string[];
  /** Ends one member, the next instant. */
  kill(member: number): Promise<void>;
  /** Starts it again, with what it has on disk. */
  start(member: number): Promise<void>;
  stop(): Promise<void>;
}

/** @param extra flags of every member; those of TLS make it https */
export async function startEtcd(members = 1, extra: readonly string[] = []): Promise<TestEtcd> {
  const directory = await mkdtemp(join(tmpdir(), 'orc-etcd-'));
  const all: EtcdMember[] = [];
  for (let i = 0; i < members; i++) {
    const [client, peer] = await freePorts(2);
    const name = `m${i}`;
    const addresses = { client: `127.0.0.1:${client}`, peer: `127.0.0.1:${peer}` };
    all.push({ name, dataDir: join(directory, name), ...addresses });
  }
  const scheme = extra.includes('--cert-file') ? 'https' : 'http';
  const binary = await findEtcd(cacheDirectory);
  const running: ChildProcess[] = [];
  const start = async (i: number) => {
    const member = all[i];
    if (!member) throw new Error(`there is no member ${i}`);
    const secure = ['--listen-client-urls', '--advertise-client-urls'].flatMap((flag) => [
      ...[flag, `${scheme}://${member.client}`],
    ]);
    running[i] = await startMember([binary, ...etcdArgs(member, all), ...secure, ...extra]);
  };
  const kill = async (i: number) => {
    const child = running[i];
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  const stop = async () => {
    await Promise.all(all.map((_, i) => kill(i)));
    await rm(directory, { recursive: true });
  };
  try {
    await Promise.all(all.map((_, i) => start(i)));
  } catch (error) {
    await stop();
    throw error;
  }
  return { urls: all.map(({ client }) => `${scheme}://${client}`), kill, start, stop };
}

/** With a parent-death signal: a test process that is killed leaves none. */
async function startMember(command: readonly string[]): Promise<ChildProcess> {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said: string[] = [];
  child.stderr.on(
    'data',
    (chunk: Buffer) => void (said.length < 200 && said.push(chunk.toString())),
  );
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (etcdReady.test(line)) resolve();
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`etcd ended:\n${said.join('')}`)));
  });
  return child;
}

export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
