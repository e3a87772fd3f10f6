import type { Socket } from 'node:net';
import { frameType, limits } from '../../native/generated/binding.ts';
import { decodeFailure, decodeStates, encodeFrame, type Frame, readFrames } from './frames.ts';
import type { OpFailure } from './op.ts';
import { encodeList } from './op-list.ts';
import type { ExecSession, ProcessExit } from './shim.ts';

type OutputListener = (stream: 'stdout' | 'stderr', chunk: Buffer) => void;

/** Sends the request (EXEC, ATTACH) on a connection of its own and follows the process to its end. */
export function startExec(
  socket: Socket,
  request: Buffer,
  failed: (failure: OpFailure) => Error,
): ExecSession {
  const exited = Promise.withResolvers<ProcessExit>();
  const listeners: OutputListener[] = [];
  exited.promise.catch(() => undefined);
  const receive = (frame: Frame): void => {
    const stream = streams.get(frame.type);
    if (stream !== undefined) for (const listener of listeners) listener(stream, frame.payload);
    else if (frame.type === frameType.FAILED) exited.reject(failed(decodeFailure(frame.payload)));
    else if (frame.type === frameType.EXITED) exited.resolve(decodeStates(frame.payload)[0]!.exit!);
  };
  readFrames(socket, receive);
  socket.on('error', (cause) => exited.reject(new Error('exec: connection lost', { cause })));
  socket.on('close', () => exited.reject(new Error('exec: the shim hung up')));
  socket.write(request);
  return { ...controls(socket), onOutput: (l) => listeners.push(l), exited: exited.promise };
}

const streams: ReadonlyMap<number, 'stdout' | 'stderr'> = new Map([
  [frameType.OUTPUT, 'stdout'],
  [frameType.ERRORS, 'stderr'],
]);

function controls(socket: Socket): Omit<ExecSession, 'onOutput' | 'exited'> {
  const send = (type: number, payload: Uint8Array): boolean =>
    socket.writable && socket.write(encodeFrame(type, 0, payload));
  return {
    write(chunk) {
      let more = true;
      for (let at = 0; at < chunk.length; at += limits.MAX_INPUT)
        more = send(frameType.INPUT, chunk.subarray(at, at + limits.MAX_INPUT));
      return more;
    },
    onDrain: (listener) => void socket.on('drain', listener),
    endInput: () => void send(frameType.INPUT_END, new Uint8Array()),
    resize: (columns, rows) =>
      void send(frameType.RESIZE, encodeList({ num: [columns, rows] }, [])),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    close: () => void socket.destroy(),
  };
}
