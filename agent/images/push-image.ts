import { wholeImage } from './image-blobs.ts';
import { findImage, type ImageCall, type ImageDesk, loginOf, tellTransfers } from './image-desk.ts';
import { ImageError } from './image-error.ts';
import { progress } from './image-pull.ts';
import { parseReference } from './reference.ts';
import { registryPush } from './registry-push.ts';

/** What the registry lacks, one after the other; the manifests, which name all that, come last. */
export async function pushImage(call: ImageCall, { store: { shelf }, clock }: ImageDesk) {
  const { asked, say, signal } = call;
  const { index, blobs } = shelf.parts;
  const [word = '', target] = asked.words ?? [];
  const { record, name } = findImage(index.records(), word);
  const to = target ?? name?.written;
  if (to === undefined)
    throw new ImageError('InvalidImageName', `${word} is no name: say where to`);
  const reference = parseReference(to);
  const credentials = loginOf(asked, to);
  const { manifests, config, layers } = await wholeImage(shelf, { record, credentials }, signal);
  const push = registryPush({ ...shelf, clock, reference, credentials }, signal);
  const report = progress({ onProgress: tellTransfers(call, clock) }, [...layers, config]);
  for (const [i, blob] of [...layers, config].entries()) {
    const onBytes = (doneBytes: number) => report(i, { doneBytes });
    const path = (await blobs.findWhole(blob.digest))?.path ?? '';
    await push.blob(blob, { path, onBytes });
    report(i, { doneBytes: blob.size, isDone: true });
  }
  for (const manifest of manifests) {
    const isTop = manifest === manifests.at(-1);
    const as = (isTop && (reference.digest ?? reference.tag)) || manifest.digest;
    const bytes = await blobs.read(manifest.digest);
    if (bytes) await push.manifest(as, manifest.mediaType, bytes);
  }
  say({ note: `${to}: ${manifests.at(-1)?.digest}` });
}
