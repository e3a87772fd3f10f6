import { mkdir, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfPresent } from '../../base/durable-file.ts';
import { removeTree } from '../../base/remove-tree.ts';
import { digestHex } from './digest.ts';
import { sharedFlights } from './shared-flight.ts';

export type LayerStore = Awaited<ReturnType<typeof openLayerStore>>;

type Unpack = (directory: string, signal: AbortSignal) => Promise<void>;

/**
 * Unpacked layers by the digest of their uncompressed tar: one directory each, shared by every image that has it.
 *
 * `directory`/layers/HEX. Not synced: only layers that a durable record names, written after a sync, are to be trusted after a
 * crash; sweep the others when opening. A layer appears there by the rename of a finished directory, and goes by a rename into
 * `directory`/unfinished, which is emptied here. Mode 0700 on top: set-id files of images are nothing to host users.
 */
export async function openLayerStore(directory: string) {
  const layers = join(directory, 'layers');
  const unfinished = join(directory, 'unfinished');
  await removeTree(unfinished);
  for (const path of [layers, unfinished]) await mkdir(path, { recursive: true, mode: 0o700 });
  const flights = sharedFlights<void>();
  const path = (diffId: string) => join(layers, digestHex(diffId));
  let serial = 0;
  /** A layer on its way out: whoever asks for it meanwhile must not find it there. */
  let leaving: Promise<void> = Promise.resolve();
  const scratch = (name: string) => join(unfinished, `${name}-${++serial}`);
  const remove = async (diffId: string) => {
    const going = scratch(digestHex(diffId));
    leaving = readIfPresent(rename(path(diffId), going));
    await leaving;
    await removeTree(going);
  };

  return {
    path,
    haveAll: async (diffIds: readonly string[]) =>
      (await Promise.all(diffIds.map((diffId) => exists(path(diffId))))).every((is) => is),
    /** `unpack` fills an empty directory unless the layer is there. Throws what `unpack` throws. */
    ensure(diffId: string, unpack: Unpack, signal: AbortSignal): Promise<void> {
      const at = { scratch: scratch(digestHex(diffId)), path: path(diffId) };
      const work = async (shared: AbortSignal) => {
        await leaving;
        if (!(await exists(at.path))) await fill(at, (empty) => unpack(empty, shared));
      };
      return flights.board(diffId, signal, (shared) => ({ outcome: work(shared) })).outcome;
    },
    /** Removes every layer that isn't kept when its turn comes. */
    async sweep(isKept: (diffId: string) => boolean) {
      for (const name of await readdir(layers)) {
        const diffId = `sha256:${name}`;
        if (!isKept(diffId)) await remove(diffId);
      }
    },
    /** No error if it isn't there. */
    remove,
    /** An empty directory for as long as it is worked with. */
    async withScratch<T>(work: (directory: string) => Promise<T>): Promise<T> {
      const directory = scratch('work');
      await mkdir(directory, { mode: 0o755 });
      try {
        return await work(directory);
      } finally {
        await removeTree(directory);
      }
    },
  };
}

type Place = Readonly<{ scratch: string; path: string }>;

async function fill(at: Place, unpack: (directory: string) => Promise<void>) {
  await mkdir(at.scratch, { mode: 0o755 });
  try {
    await unpack(at.scratch);
    await rename(at.scratch, at.path);
  } catch (error) {
    await removeTree(at.scratch);
    throw error;
  }
}

const exists = async (path: string) => (await readIfPresent(stat(path))) !== undefined;
