import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { PassThrough, Readable, type Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { Exec, PortForward } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { useDevCluster } from '../support/dev-cluster.ts';
import {
  findKubectls,
  type Kubectl,
  type RunningKubectl,
  runKubectl,
  startKubectl,
} from '../support/kubectl.ts';
import { idle, shell, shellPod } from '../support/manifests.ts';
import { roleOf } from '../support/misfortunes.ts';
import { readyPod } from '../support/pod-states.ts';
import { rounds } from '../support/rounds.ts';
import { waitFor } from '../support/wait-for.ts';

/** Much, each way, through controller, link, agent and shim, by every way there is, and many at once. */
const cluster = useDevCluster({ nodes: 1 });
const megabyte = 1_000_000;
const large = 100 * megabyte;
/** Of the large ones at once: `make soak` goes up to fifty. */
const largeAtOnce = Math.min(50, rounds(2));
const all = findKubectls();
/** SPDY and WebSocket. */
const kubectls = all.filter(({ version }) => version === '1.29' || version === '1.33');
const piece = randomBytes(megabyte);

beforeAll(async () => {
  const echo =
    'for p in $(seq 9100 9149); do nc -ll -p $p -e cat & done; nc -ll -p 9001 -e sleep 600 & nc -ll -p 9002 -e yes & ';
  await cluster().create(shellPod('idle', shell(`${echo}${idle}`)));
  await cluster().until('pods', readyPod('idle'));
}, 60_000);

/** Every megabyte is another one, so that none can be lost, doubled or swapped unseen. */
function* pieces(bytes: number): Generator<Buffer> {
  for (let at = 0; at < bytes; at += megabyte) {
    const one = Buffer.from(piece.subarray(0, Math.min(megabyte, bytes - at)));
    one.writeUInt32BE(at / megabyte);
    yield one;
  }
}

const whole = 'whole';

/** "whole", or in what way it isn't; read to its end. */
async function compare(output: AsyncIterable<Buffer>, bytes: number): Promise<string> {
  const sent = pieces(bytes);
  let [want, count, difference]: [Buffer, number, string] = [Buffer.alloc(0), 0, 'a beginning'];
  for await (let chunk of output)
    for (; chunk.length > 0; ) {
      if (want.length === 0) want = sent.next().value ?? Buffer.alloc(chunk.length);
      const length = Math.min(want.length, chunk.length);
      const [got, due] = [chunk.subarray(0, length), want.subarray(0, length)];
      if (difference === 'a beginning' && !got.equals(due))
        difference = `first other at ${count + got.findIndex((byte, i) => byte !== due[i])}`;
      count += length;
      [want, chunk] = [want.subarray(length), chunk.subarray(length)];
    }
  const isWhole = count === bytes && difference === 'a beginning';
  return isWhole ? whole : `${count} bytes of ${bytes}, ${difference}`;
}

const options = ({ version }: Kubectl) => ({
  kubeconfig: cluster().kubeconfig,
  cacheDir: join(cluster().dataDir, `kubectl-${version}`),
});

function start(kubectl: Kubectl, ...args: readonly string[]): ChildProcessWithoutNullStreams {
  const { kubeconfig, cacheDir } = options(kubectl);
  const child = spawn(kubectl.path, ['--kubeconfig', kubeconfig, '--cache-dir', cacheDir, ...args]);
  child.stdin.on('error', () => {});
  return child;
}

/** Sends so much and compares what comes back. */
type Way = (bytes: number, which: number) => Promise<string>;

/** A port for each: busybox' nc has room for two callers who wait. */
const echoPort = (which: number) => 9100 + which;

const throughExec = (kubectl: Kubectl): Way =>
  throughCat(kubectl, () => ['exec', '-i', 'idle', '--', 'cat']);

/** A pod for each: all who are attached to one would share what they send. */
function throughAttach(kubectl: Kubectl): Way {
  const attach = throughCat(kubectl, (which) => ['attach', '-i', '--quiet', `cat-${which}`]);
  return async (bytes, which) => {
    const cat = shell('exec cat', { stdin: true, stdinOnce: true });
    await cluster().create(shellPod(`cat-${which}`, cat, { restartPolicy: 'Never' }));
    await cluster().until('pods', readyPod(`cat-${which}`));
    return attach(bytes, which);
  };
}

const throughCat =
  (kubectl: Kubectl, command: (which: number) => readonly string[]): Way =>
  async (bytes, which) => {
    const child = start(kubectl, ...command(which));
    const [exit, said, back] = [
      once(child, 'exit'),
      text(child.stderr),
      compare(child.stdout, bytes),
    ];
    await pipeline(Readable.from(pieces(bytes)), child.stdin);
    const [code] = await exit;
    const words = code === 0 ? '' : `, exit code ${code}: ${await said}`;
    return `${await back}${words}`;
  };

/** There and back again. */
const throughCopies =
  (kubectl: Kubectl): Way =>
  async (bytes, which) => {
    const copy = async (from: string, to: string) => {
      const { code, err } = await runKubectl(kubectl, ['cp', from, to], options(kubectl));
      if (code !== 0) throw new Error(`cp ${from} ${to}: ${err}`);
    };
    const there = join(cluster().dataDir, `there-${which}`);
    const back = `${there}-and-back`;
    await writeFile(there, pieces(bytes));
    await copy(there, `idle:/tmp/${which}`);
    await copy(`idle:/tmp/${which}`, back);
    const result = await compare(createReadStream(back), bytes);
    await Promise.all([rm(there), rm(back)]);
    return result;
  };

async function throughPort(kubectl: Kubectl): Promise<Way> {
  const local = await forward(kubectl, ...Array.from({ length: 50 }, (_, i) => echoPort(i)));
  return (bytes, which) => throughSocket(local.get(echoPort(which)) ?? 0, bytes);
}

async function throughSocket(port: number, bytes: number): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  const back = compare(socket, bytes);
  // Ends its side: the answer must come all the same.
  await pipeline(Readable.from(pieces(bytes)), socket, { end: true });
  return back;
}

const forwarded: RunningKubectl[] = [];
afterAll(async () => {
  for (const one of forwarded) if (one.err()) console.log(`port-forward: ${one.err()}`);
  for (const one of forwarded) one.stop();
  await Promise.all(forwarded.map(({ ended }) => ended));
});

async function forward(kubectl: Kubectl, ...ports: readonly number[]) {
  const what = ports.map((port) => `:${port}`);
  const running = startKubectl(kubectl, ['port-forward', 'idle', ...what], options(kubectl));
  forwarded.push(running);
  const said = () => {
    const all = [...running.out().matchAll(/127\.0\.0\.1:(\d+) -> (\d+)/g)];
    return (
      all.length === ports.length && new Map(all.map(([, from, to]) => [Number(to), Number(from)]))
    );
  };
  return waitFor('the forwarding', said, 20_000);
}

async function throughLibrary(bytes: number): Promise<string> {
  const out = new PassThrough();
  const back = compare(out, bytes);
  const input = Readable.from(pieces(bytes), { objectMode: false });
  const exec = new Exec(cluster().client);
  const ended = new Promise((resolve, reject) => {
    exec.exec('default', 'idle', 'main', ['cat'], out, null, input, false, resolve).catch(reject);
  });
  await ended;
  out.end();
  return back;
}

async function throughLibraryPort(bytes: number, which: number): Promise<string> {
  const out = new PassThrough();
  const back = compare(out, bytes);
  const input = Readable.from(pieces(bytes), { objectMode: false });
  const forwarder = new PortForward(cluster().client);
  const socket = await forwarder.portForward(
    'default',
    'idle',
    [echoPort(which)],
    out,
    null,
    input,
  );
  if (typeof socket === 'function') throw new Error('a socket was expected');
  socket.onclose = () => out.end();
  return back;
}

/** Four inputs of 100 MB stand unread, and four outputs without an end: half of the inputs, held, were this much. */
const heldMb = 200;
const limitMs = rounds(120_000);

it(
  'takes no more memory when one side does not read',
  async () => {
    const before = await peaks();
    const stalled = await Promise.all(
      kubectls.flatMap((kubectl): readonly Promise<Stalled>[] => [
        unreadInput(start(kubectl, 'exec', '-i', 'idle', '--', 'sleep', '600')),
        unreadOutput(start(kubectl, 'exec', 'idle', '--', 'yes')),
        ...[9001, 9002].map((port) => unreadPort(kubectl, port)),
      ]),
    );
    await Promise.all(stalled.map(({ isStill }) => isStill));
    const after = await peaks();
    for (const { end } of stalled) end();
    console.log(`bulk: peaks before ${words(before)}, with eight stalled ${words(after)}`);
    for (const role of roles) expect(after[role] - before[role]).toBeLessThan(heldMb);
  },
  limitMs,
);

it(
  'carries 100 MB each way among fifty at once by every way, each to its end',
  async () => {
    const ports = await Promise.all(kubectls.map(throughPort));
    // The first two, which are large ones always: SPDY, and SPDY in a WebSocket.
    const ways = [
      ...kubectls.flatMap((kubectl, i) => [throughExec(kubectl), ports[ports.length - 1 - i]]),
      ...kubectls.flatMap((kubectl) => [throughAttach(kubectl), throughCopies(kubectl)]),
      throughLibrary,
      throughLibraryPort,
    ];
    const startedAt = performance.now();
    const sizes = Array.from({ length: 50 }, (_, i) => (i < largeAtOnce ? large : megabyte));
    const back = await Promise.all(
      sizes.map(async (bytes, i) => ways[i % ways.length]?.(bytes, i)),
    );
    expect(back).toEqual(sizes.map(() => whole));
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    const many = `${largeAtOnce} of 100 MB and ${50 - largeAtOnce} of 1 MB`;
    console.log(`bulk: ${many} each way in ${seconds} s, peaks ${words(await peaks())}`);
  },
  limitMs,
);

const roles = ['controller', 'host1'] as const;
type Peaks = Readonly<Record<(typeof roles)[number], number>>;

const words = (peaks: Peaks) =>
  roles.map((role) => `${role} ${peaks[role].toFixed(0)} MB`).join(', ');

/** What each process has taken at most since it began. */
async function peaks(): Promise<Peaks> {
  const each = roles.map(async (role) => {
    const pid = (await roleOf({ cluster: cluster() }, role)) ?? 0;
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    return [role, Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]) / 1024] as const;
  });
  return Object.fromEntries(await Promise.all(each)) as Peaks;
}

interface Stalled {
  readonly isStill: Promise<unknown>;
  end(): void;
}

/** As long as it is taken, more is written. */
async function unreadInput(child: ChildProcessWithoutNullStreams): Promise<Stalled> {
  const written = pour(child.stdin);
  return { isStill: standsStill(written), end: () => void child.kill() };
}

/** The pipe to this process is full, and kubectl's buffers are; what it has read shows it. */
async function unreadOutput(child: ChildProcessWithoutNullStreams): Promise<Stalled> {
  child.stdout.pause();
  const read = async () => {
    const io = await readFile(`/proc/${child.pid}/io`, 'utf8');
    return Number(/^rchar: (\d+)/m.exec(io)?.[1]);
  };
  return { isStill: standsStill(read), end: () => void child.kill() };
}

async function unreadPort(kubectl: Kubectl, port: number): Promise<Stalled> {
  const socket = connect({
    host: '127.0.0.1',
    port: (await forward(kubectl, port)).get(port) ?? 0,
  });
  socket.on('error', () => {}).pause();
  const written = pour(socket);
  return { isStill: standsStill(written), end: () => void socket.destroy() };
}

function pour(to: Writable) {
  let written = 0;
  const chunk = Buffer.alloc(65_536);
  const more = () => {
    do written += chunk.length;
    while (to.write(chunk) && written < large);
  };
  to.on('drain', more);
  more();
  return async () => written;
}

/** Half a second's looks see the same, and not the nothing of the beginning. */
async function standsStill(count: () => Promise<number>): Promise<void> {
  let [last, same] = [-1, 0];
  await waitFor(
    'a standstill',
    async () => {
      const now = await count();
      same = now === last && now > 0 ? same + 1 : 0;
      last = now;
      return same >= 100;
    },
    60_000,
  );
}
