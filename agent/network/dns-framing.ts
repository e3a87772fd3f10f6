/** Over TCP messages follow one another, each behind its length in two bytes (RFC 1035, 4.2.2). */
export function frameDns(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length, 0);
  return Buffer.concat([length, message]);
}

/** The first message and what follows it; undefined: it isn't whole yet. */
export function unframeDns(received: Buffer) {
  const end = received.length < 2 ? Number.POSITIVE_INFINITY : 2 + received.readUInt16BE(0);
  if (received.length < end) return undefined;
  return { message: received.subarray(2, end), rest: received.subarray(end) };
}
