import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { getSystemErrorName } from 'node:util';
import { openPipe } from '../../native/pipe.ts';
import { ImageError, invalidLayer } from './image-error.ts';
import { decodeUnpackFailure } from './unpack-op.ts';
import type { LayerStream } from './unpack-stream.ts';

export interface UnpackRequest extends LayerStream {
  /** Empty, to be filled. */
  readonly directory: string;
  /** Command line of the writer, without the directory. */
  readonly writer: readonly [string, ...string[]];
}

/** Sends the layer's operations into the pipe. Throws ImageError, or an error of the pipe. */
export type Send = (layer: LayerStream, pipe: number, signal: AbortSignal) => Promise<void>;

/** Fills the directory, through the confined writer. Throws ImageError; what is in the directory then is garbage. */
export async function unpackLayer(
  { directory, writer: [program, ...args], ...layer }: UnpackRequest,
  send: Send,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const pipe = openPipe();
  const stdio = [pipe.reading, 'pipe', 'inherit'] as const;
  const child = spawn(program, [...args, directory], { stdio: [...stdio] });
  closeSync(pipe.reading);
  const writer = watch(child);
  const kill = () => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  try {
    await send(layer, pipe.writing, signal).finally(() => closeSync(pipe.writing));
    await writer.finished;
  } catch (error) {
    kill();
    const said = await writer.failure;
    signal.throwIfAborted();
    if (said === undefined && error instanceof ImageError) throw error;
    throw said ?? new ImageError('StorageFailed', 'unpacking the layer', { cause: error });
  } finally {
    signal.removeEventListener('abort', kill);
  }
}

/** `finished` rejects if the writer doesn't succeed; `failure` is what it said, if it said anything. */
function watch(child: ChildProcess & { readonly stdout: NodeJS.ReadableStream | null }) {
  const output = child.stdout === null ? Promise.resolve(Buffer.alloc(0)) : buffer(child.stdout);
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const failure = Promise.all([output, exited]).then(
    ([bytes]) => writerError(bytes),
    (cause) => new ImageError('StorageFailed', 'the layer writer does not start', { cause }),
  );
  const finished = exited.then(([code, killed]) => {
    if (code !== 0) throw new Error(`the layer writer ended with ${code ?? killed}`);
  });
  finished.catch(() => undefined);
  return { finished, failure };
}

const diskErrors = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'ENOMEM', 'EMFILE', 'EPERM']);

function writerError(bytes: Buffer): ImageError | undefined {
  const failure = decodeUnpackFailure(bytes);
  if (failure === undefined || failure.stage === 'read') return undefined;
  const { index, stage, path } = failure;
  const code = getSystemErrorName(-failure.errno);
  const text = `entry ${index + 1}, ${JSON.stringify(path)}: ${stage}: ${code}`;
  return diskErrors.has(code)
    ? new ImageError('StorageFailed', `unpacking the layer: ${text}`)
    : invalidLayer(text);
}
