import { open } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';

/** Longest path that fits `sun_path` with its NUL. */
const MAX_SOCKET_PATH_BYTES = 107;

/** A connection to RUN_DIR/shim.sock; undefined when no shim listens there. */
export async function connectSocket(runDir: string): Promise<Socket | undefined> {
  const path = `${runDir}/shim.sock`;
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES) return tryConnect(path);
  const dir = await open(runDir).catch(absent);
  if (dir === undefined) return undefined;
  try {
    return await tryConnect(`/proc/self/fd/${dir.fd}/shim.sock`);
  } finally {
    await dir.close();
  }
}

async function tryConnect(path: string): Promise<Socket | undefined> {
  const socket = connect(path);
  const connected = Promise.withResolvers<void>();
  socket.once('connect', connected.resolve);
  socket.once('error', connected.reject);
  try {
    await connected.promise;
    return socket;
  } catch (error) {
    return absent(error);
  } finally {
    socket.off('error', connected.reject);
  }
}

function absent(error: unknown): undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined;
  throw error;
}
