import { describe, expect, it } from 'vitest';
import {
  decodeFailure,
  decodeStates,
  encodeFrame,
  frameReader,
} from '../../../../agent/kernel/frames.ts';
import { limits, sizeOf } from '../../../../native/generated/binding.ts';

const stream = Buffer.concat([
  encodeFrame(4, 1, Buffer.from('first')),
  encodeFrame(19, 0, Buffer.alloc(0)),
  encodeFrame(6, 2 ** 32 - 1, Buffer.from('third')),
]);

const expected = [
  { type: 4, tag: 1, payload: 'first' },
  { type: 19, tag: 0, payload: '' },
  { type: 6, tag: 2 ** 32 - 1, payload: 'third' },
];

describe('frameReader', () => {
  for (const size of [1, 7, 16, 17, stream.length])
    it(`finds the same frames in chunks of ${size} bytes`, () => {
      const read = frameReader();
      const frames = [];
      for (let at = 0; at < stream.length; at += size)
        frames.push(...read(stream.subarray(at, at + size)));
      expect(frames.map((f) => ({ ...f, payload: f.payload.toString() }))).toEqual(expected);
    });

  it('refuses a size over the limit before it waits for that many bytes', () => {
    const head = Buffer.alloc(sizeOf.frame);
    head.writeUInt32LE(limits.MAX_FRAME + 1, 0);
    expect(() => frameReader()(head)).toThrow(RangeError);
  });
});

it('decodes a failure', () => {
  const bytes = Buffer.alloc(sizeOf.failure);
  bytes.writeInt32LE(-1, 0);
  bytes.writeInt32LE(13, 4);
  bytes.write('move_mount', 8);
  expect(decodeFailure(bytes)).toEqual({ index: -1, errno: 13, stage: 'move_mount' });
});

it('decodes containers, running and ended', () => {
  const state = (name: string, numbers: readonly number[], times: readonly bigint[]) => {
    const bytes = Buffer.alloc(sizeOf.state);
    bytes.write(name);
    for (const [i, number] of numbers.entries()) bytes.writeUInt32LE(number, 128 + 4 * i);
    for (const [i, time] of times.entries()) bytes.writeBigUInt64LE(time, 144 + 8 * i);
    return bytes;
  };
  const bytes = Buffer.concat([
    state('running', [10, 0, 0, 0], [1_700_000_000_000n, 0n]),
    state('killed', [11, 1, 137, 9], [1_700_000_000_000n, 1_700_000_000_001n]),
  ]);
  const startedAtMs = 1_700_000_000_000;
  expect(decodeStates(bytes)).toEqual([
    { container: 'running', pid: 10, startedAtMs, exit: undefined },
    {
      container: 'killed',
      pid: 11,
      startedAtMs,
      exit: { exitCode: 137, signal: 9, finishedAtMs: startedAtMs + 1 },
    },
  ]);
});
