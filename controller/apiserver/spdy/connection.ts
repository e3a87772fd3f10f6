import type { Duplex } from 'node:stream';
import { StatusError } from '../../../api/status.ts';
import type { Upgrade } from '../exec-session.ts';
import * as frames from './frame.ts';
import { openHeaderBlocks } from './header-block.ts';

export type SpdyConnection = ReturnType<typeof openSpdyConnection>;

export interface SpdyHandlers {
  opened(stream: number, headers: ReadonlyMap<string, string>): void;
  received(stream: number, chunk: Buffer): void;
  /** The client sends no more on it. */
  ended(stream: number): void;
  /** The client has no more use for it. */
  reset(stream: number): void;
  closed(): void;
}

/** Answers 101: from here on the socket speaks SPDY/3.1. Throws what a client of other stream protocols is told. */
export function acceptSpdy({ request, socket, head }: Upgrade, protocol: string): void {
  const offered = String(request.headers['x-stream-protocol-version'] ?? '');
  if (!offered.includes(protocol))
    throw new StatusError('Forbidden', `the stream protocol must be ${protocol}`);
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n` +
      `X-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  );
  if (head.length > 0) socket.unshift(head);
}

/**
 * The server's side of one SPDY/3.1 connection. Clients open streams and the server answers; Kubernetes' clients know
 * no flow control of single streams, so the socket's is all there is.
 */
export function openSpdyConnection(socket: Duplex, handlers: SpdyHandlers) {
  const headers = openHeaderBlocks();
  const gate = openGate();
  /** Not after our goodbye: a write then would destroy the socket, and with it what is still to be sent. */
  const answer = (bytes: Buffer) => socket.writableEnded || socket.write(bytes);
  const handle = async (frame: frames.Frame): Promise<void> => {
    await gate.passed();
    if (frame.type === 'data') receive(frame, handlers);
    else if (frame.control === frames.control.ping)
      answer(frames.encodeControl(frames.control.ping, frame.payload));
    else if (frame.control === frames.control.rstStream)
      handlers.reset(frame.payload.readUInt32BE(0));
    else if (frame.control === frames.control.synStream) {
      const { stream, headerBlock } = frames.readSynStream(frame.payload);
      const opened = await headers.decode(headerBlock);
      // First the reply: clients take no data on a stream that isn't answered yet.
      answer(frames.encodeSynReply(stream, await headers.encode(new Map())));
      handlers.opened(stream, opened);
      if (frame.fin) handlers.ended(stream);
    }
  };
  // Who waits at the gate would never hear of it.
  socket.once('close', gate.open);
  readFrames(socket, handle)
    .catch(() => socket.destroy())
    .finally(() => {
      headers.close();
      handlers.closed();
    });
  return {
    /** False: wait for `drain` of the socket. */
    send: (stream: number, chunk: Uint8Array) => socket.write(frames.encodeData(stream, chunk)),
    /** Half-closes a stream, with a last chunk. */
    finish: (stream: number, chunk: Uint8Array = Buffer.alloc(0)) =>
      void socket.write(frames.encodeData(stream, chunk, true)),
    /** Reads nothing more until `resume`. */
    pause: () => socket.destroyed || gate.close(),
    resume: gate.open,
    /** Says goodbye; what is written still arrives. */
    close() {
      gate.open();
      socket.end(frames.encodeControl(frames.control.goAway, Buffer.alloc(8)));
    },
  };
}

function receive(
  { stream, payload, fin }: Extract<frames.Frame, { type: 'data' }>,
  handlers: SpdyHandlers,
): void {
  if (payload.length > 0) handlers.received(stream, payload);
  if (fin) handlers.ended(stream);
}

/** A large frame's pieces are joined once: there may be a thousand. */
async function readFrames(socket: Duplex, handle: (frame: frames.Frame) => Promise<void>) {
  let chunks: Buffer[] = [];
  let missing = 0;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    missing -= chunk.length;
    if (missing > 0) continue;
    let bytes = Buffer.concat(chunks);
    for (let next = frames.decodeFrame(bytes); next; next = frames.decodeFrame(bytes)) {
      bytes = bytes.subarray(next.end);
      await handle(next.frame);
    }
    chunks = [bytes];
    missing = frames.frameLength(bytes) - bytes.length;
  }
}

/** Open or closed; whoever comes while it is closed waits. */
function openGate() {
  let shut: PromiseWithResolvers<void> | undefined;
  return {
    passed: async () => shut?.promise,
    close: () => {
      shut ??= Promise.withResolvers<void>();
    },
    open: () => {
      shut?.resolve();
      shut = undefined;
    },
  };
}
