import { spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { beforeAll, expect, it } from 'vitest';
import { encodeFrame } from '../../../agent/kernel/frames.ts';
import type { Op } from '../../../agent/kernel/op.ts';
import { encodeList } from '../../../agent/kernel/op-list.ts';
import { frameType } from '../../../native/generated/binding.ts';
import { bindDefaults, execOps, startPod } from '../../support/native-pod.ts';
import { rounds } from '../../support/rounds.ts';
import { buildSanitised, buildTimeoutMs, listFuzzer } from '../../support/sanitised.ts';

/** Operations of every shape: paths, texts, bytes, lists of strings, wide numbers. */
const ops: readonly Op[] = [
  { op: 'set-root', path: '/root' },
  { ...bindDefaults, source: '/a', target: '/b', sourceBelow: '/c' },
  { op: 'write', path: '/f', bytes: Buffer.from('a\0b') },
  { op: 'set-caps', effective: 1n, permitted: 2n, inheritable: 3n, ambient: 2n ** 63n },
  { op: 'enter-container', container: 'main' },
  { op: 'new-user', namespace: 'user', uidMap: '0 1 1\n', gidMap: '0 1 1\n' },
  { op: 'rlimit', resource: 7, soft: 100n, hard: 2n ** 64n - 1n },
  { op: 'set-mount', path: '/proc', set: 1, propagation: 1n << 18n },
  { op: 'names', hostname: 'a', domainname: '' },
  { op: 'seccomp', program: Buffer.alloc(64) },
  ...execOps(['sh', '-c', 'true', ''], 7),
];

const frames: readonly Buffer[] = [
  [frameType.RUN, encodeList({}, ops)] as const,
  [
    frameType.START,
    encodeList({ num: [3, 0], wide: [10n], text: ['c', '', '/log'] }, ops),
  ] as const,
  [frameType.EXEC, encodeList({ num: [0, 80, 25], text: ['c'] }, ops)] as const,
  [frameType.LAUNCH, encodeList({ num: [2], text: ['/run', ['/a', '/b'], '/c'] }, [])] as const,
].map(([type, payload]) => encodeFrame(type, 1, payload));

beforeAll(buildSanitised, buildTimeoutMs);

it(
  'takes what TypeScript encodes, and nothing that is bred from it harms it',
  () => {
    const run = spawnSync(listFuzzer, ['42', String(rounds(500_000))], {
      input: Buffer.concat(frames),
      encoding: 'utf8',
    });
    const counts = /^(\d+) whole, (\d+) accepted, (\d+) refused, (\d+) kept, (\d+) features\n$/;
    const [whole, accepted, refused, kept] = counts.exec(run.stdout)?.slice(1).map(Number) ?? [];
    expect({ status: run.status, signal: run.signal, found: run.stderr, whole }).toEqual({
      status: 0,
      signal: null,
      found: '',
      whole: frames.length,
    });
    expect(accepted! + refused!).toBe(rounds(500_000));
    expect(accepted).toBeGreaterThan(500);
    expect(kept).toBeGreaterThan(200);
    if (rounds(1) > 1) console.log(run.stdout.trim());
  },
  rounds(60_000),
);

it('hangs up on bytes that are no frames, and goes on serving others', async () => {
  const pod = await startPod();
  const garbage: readonly Buffer[] = [
    Buffer.alloc(64, 0xff),
    Buffer.from('GET / HTTP/1.1\r\nHost: shim\r\n\r\n'),
    encodeFrame(frameType.INPUT, 0, Buffer.from('no session')),
    Buffer.concat([encodeFrame(frameType.LIST, 1, encodeList({}, [])), Buffer.alloc(32, 0xee)]),
  ];
  try {
    for (const bytes of garbage) {
      const socket = connect(`${pod.dir}/run/shim.sock`);
      socket.write(bytes);
      socket.resume();
      await new Promise((resolve) => socket.once('close', resolve));
    }
    expect(await pod.shim.list()).toEqual([]);
  } finally {
    await pod.end();
  }
});
