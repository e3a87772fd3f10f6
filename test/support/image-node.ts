import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { serveImages } from '../../agent/images/image-api.ts';
import { type ImageStore, openImageStore } from '../../agent/images/image-store.ts';
import { noRegistries, type Registries } from '../../agent/images/registries.ts';
import type { ImageRequest, NodeImage, Transfer } from '../../api/node-images.ts';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { systemRng } from '../../base/rng.ts';
import { askAgent } from '../../cli/image-client.ts';
import { nativeBinary } from '../../native/binary.ts';

/** An image store with its socket, without the rest of an agent. */
export interface ImageNode {
  readonly directory: string;
  readonly socket: string;
  readonly store: ImageStore;
  /** Ids and references that pods and containers need. */
  readonly needed: Set<string>;
  /** As the command line asks; the notes that came before the end, and what came at it. */
  ask(verb: string, asked?: ImageRequest, archive?: Buffer | Readable): Promise<Answer>;
  images(): Promise<readonly NodeImage[]>;
  /** How many entries each of the store's directories has. */
  entries(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}

interface Answer {
  readonly notes: readonly string[];
  readonly transfers: readonly (readonly Transfer[])[];
  readonly result: unknown;
}

export async function openImageNode(
  insecure: readonly string[],
  registries: Registries = noRegistries,
): Promise<ImageNode> {
  const base = { clock: systemClock(), rng: systemRng(), log: silentLog };
  const directory = mkdtempSync(join(tmpdir(), 'orc-image-node-'));
  const limits = { connectTimeoutMs: 2000, idleTimeoutMs: 5000 };
  const network = { ...limits, insecure, proxySocket: undefined, registries };
  const writer = [nativeBinary, 'orc-unpack'] as const;
  const store = await openImageStore({ directory, network, writer, ...base });
  const needed = new Set<string>();
  const socket = join(directory, 'images.sock');
  const desk = { store, needed: async () => needed, clock: base.clock };
  const stop = await serveImages(socket, desk);
  const ask: ImageNode['ask'] = async (verb, asked = {}, archive) => {
    const notes: string[] = [];
    const transfers: (readonly Transfer[])[] = [];
    const body = Buffer.isBuffer(archive) ? Readable.from([archive]) : archive;
    const result = await askAgent({ socket, verb, asked, archive: body }, (line) => {
      if ('note' in line) notes.push(line.note);
      else transfers.push(line.transfers);
    });
    return { notes, transfers, result };
  };
  const names = ['blobs', 'partial', 'layers', 'unfinished'];
  return {
    ...{ directory, socket, store, needed, ask },
    images: async () => (await ask('ls')).result as readonly NodeImage[],
    entries: () =>
      Object.fromEntries(names.map((name) => [name, readdirSync(join(directory, name)).length])),
    async close() {
      stop();
      await store.close();
      rmSync(directory, { recursive: true });
    },
  };
}
