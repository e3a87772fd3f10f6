/**
 * SPDY/3.1 frames (draft-mbelshe-httpbis-spdy-00), as much as Kubernetes' clients use. Big-endian.
 *
 *   control  1 | version 15 | type 16    flags 8 | length 24    payload
 *   data     0 | stream 31               flags 8 | length 24    payload
 */
export type Frame = { readonly fin: boolean; readonly payload: Buffer } & (
  | { readonly type: 'data'; readonly stream: number }
  | { readonly type: 'control'; readonly control: number }
);

export const control = { synStream: 1, synReply: 2, rstStream: 3, ping: 6, goAway: 7 } as const;

const headerBytes = 8;
const finFlag = 1;
const version = 3;

/** So many bytes the first frame has, as far as its beginning says. */
export const frameLength = (bytes: Buffer): number =>
  headerBytes + (bytes.length < headerBytes ? 0 : bytes.readUIntBE(5, 3));

/** The first frame of `bytes`, and where it ends; undefined: it isn't whole yet. */
export function decodeFrame(bytes: Buffer): { frame: Frame; end: number } | undefined {
  const end = frameLength(bytes);
  if (bytes.length < end) return undefined;
  const word = bytes.readUInt32BE(0);
  const fin = (bytes.readUInt8(4) & finFlag) !== 0;
  const payload = bytes.subarray(headerBytes, end);
  if (word < 2 ** 31) return { frame: { type: 'data', stream: word, fin, payload }, end };
  return { frame: { type: 'control', control: word & 0xffff, fin, payload }, end };
}

export const encodeData = (stream: number, payload: Uint8Array, fin = false): Buffer =>
  Buffer.concat([header(stream, payload.length, fin), payload]);

export function encodeControl(type: number, payload: Buffer): Buffer {
  const word = (0x8000 + version) * 0x10000 + type;
  return Buffer.concat([header(word, payload.length, false), payload]);
}

export const encodeSynReply = (stream: number, headerBlock: Buffer): Buffer =>
  encodeControl(control.synReply, Buffer.concat([uint32(stream), headerBlock]));

/** Stream id and compressed headers of a SYN_STREAM; between them are priority and slot. */
export function readSynStream(payload: Buffer): { stream: number; headerBlock: Buffer } {
  return { stream: payload.readUInt32BE(0) & 0x7fffffff, headerBlock: payload.subarray(10) };
}

export const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

function header(word: number, length: number, fin: boolean): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  bytes.writeUInt32BE(word, 0);
  bytes.writeUInt8(fin ? finFlag : 0, 4);
  bytes.writeUIntBE(length, 5, 3);
  return bytes;
}
