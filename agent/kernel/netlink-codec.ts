import { strict as assert } from 'node:assert';
import { cString } from '../../base/c-string.ts';

/**
 * Netlink's wire format: messages of a 16-byte header and a body, bodies of a fixed structure and attributes, attributes
 * nested in attributes; everything aligned to 4 bytes. Numbers are in the machine's order: little-endian on both
 * processors that we build for. Source: linux/netlink.h.
 */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly body: Buffer;
}

/** The kernel's answer to a request with NLM_F_ACK; `errno` is 0 for success. */
export interface Acknowledgement {
  readonly errno: number;
  /** The kernel's own explanation (extended acknowledgement), where it has one. */
  readonly text: string | undefined;
}

/** A number has 32 bits; a text is sent with the terminating zero that the kernel's string attributes want. */
export type Attribute = readonly [
  type: number,
  value: Buffer | number | string | readonly Attribute[],
];

export const NLM_F = {
  REQUEST: 0x001,
  ACK: 0x004,
  DUMP: 0x300,
  REPLACE: 0x100,
  EXCL: 0x200,
  CREATE: 0x400,
};
export const NLMSG = { ERROR: 2, DONE: 3 };

export function encodeMessage(message: NetlinkMessage): Buffer {
  const header = Buffer.alloc(headerLength);
  header.writeUInt32LE(headerLength + message.body.length, 0);
  header.writeUInt16LE(message.type, 4);
  header.writeUInt16LE(message.flags, 6);
  header.writeUInt32LE(message.sequence, 8);
  return Buffer.concat([header, message.body]);
}

/** All messages of one datagram. Throws on a length that leads outside of it. */
export function decodeMessages(bytes: Buffer): readonly NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at + headerLength <= bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    assert(length >= headerLength && at + length <= bytes.length, 'netlink: truncated message');
    messages.push({
      type: bytes.readUInt16LE(at + 4),
      flags: bytes.readUInt16LE(at + 6),
      sequence: bytes.readUInt32LE(at + 8),
      body: bytes.subarray(at + headerLength, at + length),
    });
    at += aligned(length);
  }
  return messages;
}

/** The fixed structure of a message's kind, and attributes. */
export const encodeBody = (header: Buffer, ...attributes: readonly Attribute[]): Buffer =>
  Buffer.concat([header, encodeAttributes(attributes)]);

/** With the bit that netfilter wants on attributes that hold others. */
export function nested(type: number, ...attributes: readonly Attribute[]): Attribute {
  return [NLA_F_NESTED | type, attributes];
}

export const encodeAttributes = (attributes: readonly Attribute[]): Buffer =>
  Buffer.concat(attributes.flatMap(encodeAttribute));

/** By type; nested ones are decoded by calling this again with the value. Of a repeated type the last counts. */
export function decodeAttributes(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    assert(length >= 4 && at + length <= bytes.length, 'netlink: truncated attribute');
    attributes.set(bytes.readUInt16LE(at + 2) & typeMask, bytes.subarray(at + 4, at + length));
    at += aligned(length);
  }
  return attributes;
}

/** Reads an NLMSG_ERROR message. */
export function decodeAcknowledgement(message: NetlinkMessage): Acknowledgement {
  const errno = Math.abs(message.body.readInt32LE(0));
  if ((message.flags & REPLY_F.ACK_TLVS) === 0) return { errno, text: undefined };
  const request =
    message.flags & REPLY_F.CAPPED ? headerLength : aligned(message.body.readUInt32LE(4));
  const text = decodeAttributes(message.body.subarray(4 + request)).get(NLMSGERR_ATTR_MSG);
  return { errno, text: text && cString(text) };
}

const headerLength = 16;
/** NLM_F_… of acknowledgements. */
const REPLY_F = { CAPPED: 0x100, ACK_TLVS: 0x200 };
const NLMSGERR_ATTR_MSG = 1;
const NLA_F_NESTED = 0x8000;
/** The two upper bits say "nested" and "network byte order". */
const typeMask = 0x3fff;

function encodeAttribute([type, value]: Attribute): Buffer[] {
  const bytes = valueBytes(value);
  const length = 4 + bytes.length;
  // A longer one would wrap around in its 16-bit length and smuggle in attributes (CVE-2021-43784 of runc).
  assert(length <= 0xffff, `netlink: attribute ${type} has ${length} bytes`);
  const header = Buffer.alloc(4);
  header.writeUInt16LE(length, 0);
  header.writeUInt16LE(type, 2);
  return [header, bytes, Buffer.alloc(aligned(length) - length)];
}

function valueBytes(value: Attribute[1]): Buffer {
  if (Buffer.isBuffer(value)) return value;
  if (typeof value === 'string') return Buffer.from(`${value}\0`);
  return typeof value === 'number' ? u32(value) : encodeAttributes(value);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value, 0);
  return bytes;
}

const aligned = (length: number): number => (length + 3) & ~3;
