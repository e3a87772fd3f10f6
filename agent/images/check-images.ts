import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { shortDigest } from '../../api/node-images.ts';
import { errorChain } from '../../base/error-chain.ts';
import { blobsOf, ensureBlob, sourceOf } from './image-blobs.ts';
import type { ImageCall, ImageDesk } from './image-desk.ts';
import { ImageError } from './image-error.ts';
import { allBlobs, type ImageRecord } from './image-index.ts';
import { ensureLayer, type PulledLayer, syncAll, unpackLayer } from './image-pull.ts';
import type { Descriptor } from './manifest.ts';

/**
 * Looks whether every blob is what it is called, and every layer what its blob unpacks to; a layer whose blob has gone is
 * not compared. Throws ImageError if something is wrong and stays so.
 */
export async function checkImages(call: ImageCall, desk: ImageDesk): Promise<void> {
  const { index, pins } = desk.store.shelf.parts;
  const seen = new Set<string>();
  const isNew = ({ digest }: Descriptor) => !seen.has(digest) && seen.add(digest) !== undefined;
  let wrong = 0;
  const found = async (what: string, mend: () => Promise<void>) => {
    const why = call.asked.repair ? await mend().then(() => '', errorChain) : '--repair mends it';
    call.say({ note: `${what}: ${why || 'mended'}` });
    if (why !== '') wrong += 1;
    return why === '';
  };
  // What an older agent pulled has nothing to be compared with.
  for (const record of index.records().filter(({ blobs }) => blobs)) {
    if (!index.names(record.id)) continue;
    const check: Check = { call, desk, record, found };
    const made = blobsOf(record);
    const { manifests, config, layers } = made;
    const digests = allBlobs(made).map(({ digest }) => digest);
    using _ = pins.pin([...digests, ...record.diffIds]);
    for (const blob of [...manifests, config].filter(isNew)) await isRight(check, blob);
    for (const [i, diffId] of record.diffIds.entries()) {
      const layer = layers[i];
      if (layer && isNew(layer)) await checkLayer(check, { ...layer, diffId });
    }
  }
  call.say({ note: `${seen.size} blobs checked, and the layers that they were unpacked to` });
  if (wrong > 0) throw new ImageError('StorageFailed', `wrong and not mended: ${wrong}`);
}

interface Check {
  readonly call: ImageCall;
  readonly desk: ImageDesk;
  readonly record: ImageRecord;
  /** Tells of what is wrong; mends it if that is wanted. False: it stays as it is. */
  found(what: string, mend: () => Promise<void>): Promise<boolean>;
}

async function isRight({ call, desk, record, found }: Check, blob: Descriptor): Promise<boolean> {
  const { shelf } = desk.store;
  const { blobs } = shelf.parts;
  const file = await blobs.findWhole(blob.digest);
  const hash = createHash('sha256');
  if (file) await pipeline(createReadStream(file.path), hash);
  if (file && `sha256:${hash.digest('hex')}` === blob.digest) return true;
  return found(`blob ${blob.digest} is ${file ? 'damaged' : 'missing'}`, async () => {
    if (file) await blobs.remove(blob.digest);
    await ensureBlob(shelf, { record, blob }, call.signal);
  });
}

async function checkLayer(check: Check, layer: PulledLayer): Promise<void> {
  const { call, desk, record, found } = check;
  const { shelf } = desk.store;
  const { layers, blobs, index } = shelf.parts;
  const { diffId } = layer;
  const isThere = await layers.haveAll([diffId]);
  const hasBlob = (await blobs.findWhole(layer.digest)) !== undefined;
  if (hasBlob ? !(await isRight(check, layer)) : isThere) return;
  const pull = { parts: shelf.parts, source: sourceOf(shelf, { record }) };
  const wrong = isThere ? await differences(pull, layer, call.signal) : ['missing'];
  for (const one of wrong) call.say({ note: `${shortDigest(diffId)}: ${one}` });
  if (wrong.length === 0) return;
  await found(`layer ${diffId} is not what was unpacked`, async () => {
    const needed = await desk.needed();
    const users = index.records().filter(({ diffIds }) => diffIds.includes(diffId));
    if (users.some(({ id }) => needed.has(id)))
      throw new ImageError('ImageInUse', 'a pod or a container of this node uses it');
    await layers.remove(diffId);
    await ensureLayer(pull, { layer }, call.signal);
    await syncAll(shelf.parts);
  });
}

/** A thousand of the longest paths. */
const maxBuffer = 8 * 1024 ** 2;

/** "WHAT PATH" each. */
function differences(
  pull: Parameters<typeof unpackLayer>[0],
  layer: PulledLayer,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { layers, writer } = pull.parts;
  return layers.withScratch(async (directory) => {
    // By the file system's clock, which lags behind ours: what the archive gives no time got one after this.
    const sinceSeconds = Math.floor((await stat(directory)).mtimeMs / 1000);
    await unpackLayer(pull, { layer, directory }, signal);
    const [program, ...args] = writer;
    const words = ['--compare', layers.path(layer.diffId), directory, String(sinceSeconds)];
    const { stdout } = await promisify(execFile)(program, [...args, ...words], { maxBuffer });
    return stdout.split('\0').filter(Boolean);
  });
}
