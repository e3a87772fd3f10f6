import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it, onTestFailed } from 'vitest';
import { encodeFrame } from '../../../agent/kernel/frames.ts';
import type { Op } from '../../../agent/kernel/op.ts';
import { OpError } from '../../../agent/kernel/op-error.ts';
import { encodeList } from '../../../agent/kernel/op-list.ts';
import type { Rng } from '../../../base/rng.ts';
import { frameType, recordFlag, sizeOf } from '../../../native/generated/binding.ts';
import { bindDefaults } from '../../support/native-pod.ts';
import { rounds } from '../../support/rounds.ts';
import { buildSanitised, buildTimeoutMs } from '../../support/sanitised.ts';
import { seededRng } from '../../support/seeded-rng.ts';
import { type ShimJail, startShimJail } from '../../support/shim-jail.ts';

let jail: ShimJail;
beforeAll(async () => {
  buildSanitised();
  jail = await startShimJail();
}, buildTimeoutMs);
afterAll(() => jail?.end());

const exec = (...argv: readonly string[]): readonly Op[] => [
  { op: 'exec', argv, env: ['PATH=/bin'] },
];
const names = ['a', 'b', 'c'];

const roots: readonly Op[] = [
  { op: 'make-private' },
  { op: 'set-root', path: '/volume' },
  { op: 'mkdir', path: '/x/y', inRoot: true, mode: 0o755, uid: 0, gid: 0 },
  { op: 'symlink', path: '/l', inRoot: true, to: 'x' },
  { ...bindDefaults, inRoot: true, create: true, source: '/etc', target: '/x/etc' },
  { op: 'mask', path: '/x/etc' },
  { op: 'read-only', path: '/x' },
];

const tmpfs = { op: 'mount', inRoot: true, source: 'x', fstype: 'tmpfs', data: '' } as const;
const devpts = { ...tmpfs, fstype: 'devpts', target: '/dev/pts', data: 'newinstance' } as const;
const terminal: readonly Op[] = [
  { op: 'set-root', path: '/' },
  { ...devpts, create: true, flags: [] },
  { op: 'terminal' },
  { op: 'new-session', controllingTerminal: true },
];

/** One list each. */
const singles: readonly Op[] = [
  { op: 'umask', mask: 0o22 },
  { op: 'names', hostname: 'name', domainname: 'domain' },
  { op: 'netlink', messages: Buffer.from('1400000012000503000000000000000000000000', 'hex') },
  { op: 'unshare', namespaces: ['ipc', 'uts', 'mount'] },
  { op: 'open-space', namespace: 'uts', path: '/proc/self/ns/uts' },
  { op: 'write', path: 'self/oom_score_adj', bytes: Buffer.from('100'), proc: true },
  { op: 'rlimit', resource: 7, soft: 100n, hard: 100n },
  { op: 'affinity', mask: Buffer.from([1]) },
  { op: 'set-mount', path: '/proc', set: 1, propagation: 1n << 18n },
  { op: 'fork' },
];

const list = (args: Parameters<typeof encodeList>[0], ops: readonly Op[] = []) =>
  encodeList(args, ops);
const start = (name: string, flags: number, ops: readonly Op[]) =>
  list({ flags, num: [0, 80, 25, 3], wide: [4096n], text: [name, '', `/tmp/${name}.log`] }, ops);

/** Every request there is, in forms that succeed; for two names several times over. */
const frames: readonly (readonly [number, Buffer])[] = [
  [frameType.LIST, list({})],
  ...singles.map((op) => [frameType.RUN, list({}, [op])] as const),
  [
    frameType.RUN,
    list({}, [
      { op: 'new-user', namespace: 'user', uidMap: '0 0 1\n', gidMap: '0 0 1\n' },
      { op: 'hold', namespace: 'user' },
      { op: 'join', namespace: 'user' },
    ]),
  ],
  [frameType.RUN, list({}, roots)],
  ...names.flatMap((name): readonly (readonly [number, Buffer])[] => [
    [frameType.START, start(name, recordFlag.INPUT, exec('cat'))],
    [frameType.START, start(name, 0, exec('sh', '-c', 'yes | head -c 100000; exit 3'))],
    [frameType.START, start(name, recordFlag.INPUT | recordFlag.INPUT_ONCE, exec('cat'))],
    [frameType.START, start(name, recordFlag.TERMINAL, [...terminal, ...exec('cat')])],
    [frameType.START, start(name, 0, [{ op: 'sync' }, ...exec('true')])],
    [frameType.CONTINUE, list({ text: [name] })],
    [frameType.EXEC, list({ flags: recordFlag.INPUT, num: [0], text: [name] }, exec('cat'))],
    [frameType.EXEC, list({ num: [0], text: [name] }, exec('head', '-c', '300000', '/dev/zero'))],
    [
      frameType.EXEC,
      list({ num: [0], text: [name] }, [
        { op: 'enter-container', container: name },
        ...exec('true'),
      ]),
    ],
    [frameType.ATTACH, list({ flags: recordFlag.INPUT, text: [name] })],
    [frameType.ATTACH, list({ text: [name] })],
    [frameType.KILL, list({ num: [9], text: [name] })],
    [frameType.FORGET, list({ text: [name] })],
  ]),
  [frameType.INPUT, Buffer.from('some input\n')],
  [frameType.INPUT, Buffer.alloc(65_536, 'x')],
  [frameType.INPUT_END, Buffer.alloc(0)],
  [frameType.RESIZE, list({ num: [90, 30] })],
];

const below = (rng: Rng, limit: number) => Math.floor(rng.fraction() * limit);
const pick = <T>(rng: Rng, from: readonly T[]): T => from[below(rng, from.length)]!;
const edges = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 4_194_304, 4_194_305, 65_537];

/** A third stays whole: only those make the states in which the others arrive. */
function mutate(rng: Rng, frame: Buffer): Buffer {
  if (rng.fraction() < 0.33 || frame.length === 0) return frame;
  const bytes = Buffer.from(frame);
  const at = below(rng, bytes.length);
  switch (below(rng, 6)) {
    case 0:
      bytes[at] = below(rng, 256);
      return bytes;
    case 1:
      bytes[at]! ^= 1 << below(rng, 8);
      return bytes;
    case 2:
      return bytes.subarray(0, at);
    case 3:
      bytes.writeUInt32LE(pick(rng, edges), Math.min(at & ~3, Math.max(0, bytes.length - 4)));
      return bytes;
    case 4:
      bytes.writeUInt16LE(below(rng, 24), 4);
      return bytes;
    default:
      return Buffer.concat([bytes, rng.bytes(below(rng, 40))]);
  }
}

/** SHUTDOWN ends the shim, as it should: what happens to be one asks for a list instead. */
function tame(frame: Buffer): Buffer {
  if (frame.length >= sizeOf.frame && frame.readUInt16LE(4) === frameType.SHUTDOWN)
    frame.writeUInt16LE(frameType.LIST, 4);
  return frame;
}

/** A few frames, in pieces of any size, then hung up on in one way or another. */
async function talk(rng: Rng): Promise<void> {
  const socket = connect(`${jail.runDir}/shim.sock`);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => socket.destroy());
  const stream = Buffer.concat(
    Array.from({ length: 1 + below(rng, 6) }, () => {
      const [type, payload] = pick(rng, frames);
      return tame(mutate(rng, encodeFrame(type, below(rng, 3), payload)));
    }),
  );
  for (let at = 0; at < stream.length && socket.writable; ) {
    const size = rng.fraction() < 0.5 ? stream.length : 1 + below(rng, 4096);
    socket.write(stream.subarray(at, at + size));
    at += size;
    if (rng.fraction() < 0.3) await new Promise((resolve) => setImmediate(resolve));
  }
  hangUp(rng, socket);
  await closed;
}

function hangUp(rng: Rng, socket: Socket): void {
  const way = below(rng, 3);
  if (way === 0) socket.destroy();
  else socket.end();
  // Not reading holds the shim's side back; the others take what it says.
  if (way === 1) socket.resume();
  else setTimeout(() => socket.destroy(), 20);
}

/** Ends and forgets all containers, those too whose start is still on its way. What runs beside them goes with its client. */
async function clear(): Promise<void> {
  const { shim } = jail;
  const remaining = async () => {
    for (const { container, exit } of await shim.list())
      await (exit ? shim.forget(container) : shim.kill(container, 9)).catch(unlessBusy);
    return shim.list();
  };
  await expect.poll(remaining, { timeout: 30_000 }).toEqual([]);
}

function unlessBusy(error: unknown): void {
  if (!(error instanceof OpError) || error.code !== 'EBUSY') throw error;
}

it(
  'outlives damaged frames of all kinds, in any order and many at once, and nothing is found',
  async () => {
    onTestFailed(() => console.log(jail.reports().join('\n')));
    let seed = rounds(1000);
    const before = jail.descriptors();
    for (let round = 0; round < rounds(20); round++) {
      // One for each: they take turns as they like.
      await Promise.all(Array.from({ length: 12 }, () => talk(seededRng(seed++))));
      await clear();
      expect(jail.reports()).toEqual([]);
    }
    await expect.poll(jail.descriptors, { timeout: 10_000 }).toBeLessThanOrEqual(before);
    expect(await jail.shim.list()).toEqual([]);
  },
  rounds(60_000),
);
