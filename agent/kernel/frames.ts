import type { Readable } from 'node:stream';
import { cString } from '../../base/c-string.ts';
import { limits, sizeOf } from '../../native/generated/binding.ts';
import type { OpFailure } from './op.ts';
import type { ShimContainer } from './shim.ts';

/** One message of the protocol that native/orc.h draws. */
export type Frame = Readonly<{ type: number; tag: number; payload: Buffer }>;

/** The head and the payload, ready to be written. */
export function encodeFrame(type: number, tag: number, payload: Uint8Array): Buffer {
  if (payload.length > limits.MAX_FRAME) throw new RangeError('a request is over 4 MiB');
  const bytes = Buffer.alloc(sizeOf.frame + payload.length);
  bytes.writeUInt32LE(payload.length, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt32LE(tag, 8);
  bytes.set(payload, sizeOf.frame);
  return bytes;
}

/** Calls `receive` with each frame of the stream; nonsense in it destroys it, with an error. */
export function readFrames(stream: Readable, receive: (frame: Frame) => void): void {
  const read = frameReader();
  stream.on('data', (chunk: Buffer) => {
    try {
      for (const frame of read(chunk)) receive(frame);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      stream.destroy(error);
    }
  });
}

/** Cuts a byte stream into frames: give it each chunk, get what has become whole. Throws RangeError on nonsense. */
export function frameReader(): (chunk: Buffer) => readonly Frame[] {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    const frames: Frame[] = [];
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let frame = firstFrame(bytes); frame !== undefined; frame = firstFrame(bytes)) {
      frames.push(frame);
      bytes = bytes.subarray(sizeOf.frame + frame.payload.length);
    }
    rest = bytes;
    return frames;
  };
}

function firstFrame(bytes: Buffer): Frame | undefined {
  if (bytes.length < sizeOf.frame) return undefined;
  const size = bytes.readUInt32LE(0);
  if (size > limits.MAX_FRAME) throw new RangeError('a frame of the shim is over 4 MiB');
  if (bytes.length < sizeOf.frame + size) return undefined;
  return {
    type: bytes.readUInt16LE(4),
    tag: bytes.readUInt32LE(8),
    payload: bytes.subarray(sizeOf.frame, sizeOf.frame + size),
  };
}

/** `struct orc_hello` */
export interface Hello {
  readonly version: number;
  readonly pid: number;
  /** ORC_OPERATIONS of the shim; 0 before there was such a number. */
  readonly operations: number;
}

export const decodeHello = (bytes: Buffer): Hello => ({
  version: bytes.readUInt32LE(0),
  pid: bytes.readUInt32LE(4),
  operations: bytes.readUInt32LE(8),
});

/** `struct orc_failure` */
export const decodeFailure = (bytes: Buffer): OpFailure => ({
  index: bytes.readInt32LE(0),
  errno: bytes.readInt32LE(4),
  stage: cString(bytes.subarray(8, 8 + limits.STAGE_SIZE)),
});

/** An array of `struct orc_state`. */
export function decodeStates(bytes: Buffer): readonly ShimContainer[] {
  const count = Math.floor(bytes.length / sizeOf.state);
  return Array.from({ length: count }, (_, i) => decodeState(bytes.subarray(i * sizeOf.state)));
}

function decodeState(bytes: Buffer): ShimContainer {
  const at = limits.MAX_NAME + 1;
  const signal = bytes.readUInt32LE(at + 12);
  return {
    container: cString(bytes.subarray(0, at)),
    pid: bytes.readUInt32LE(at),
    startedAtMs: Number(bytes.readBigUInt64LE(at + 16)),
    exit:
      bytes.readUInt32LE(at + 4) === 0
        ? undefined
        : {
            exitCode: bytes.readUInt32LE(at + 8),
            signal: signal === 0 ? undefined : signal,
            finishedAtMs: Number(bytes.readBigUInt64LE(at + 24)),
          },
  };
}
