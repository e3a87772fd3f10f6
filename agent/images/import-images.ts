import { join } from 'node:path';
import { type ArchiveImage, imagesIn } from './archive-images.ts';
import { type ImageCall, type ImageDesk, tellTransfers } from './image-desk.ts';
import { ImageError } from './image-error.ts';
import { readArchive } from './read-archive.ts';
import { formatReference, parseReference } from './reference.ts';

/** Images go the way of a pull, only that they come from an archive. */
export async function importImages(call: ImageCall, { store: { shelf }, clock }: ImageDesk) {
  const { asked, archive, say, signal } = call;
  await shelf.parts.layers.withScratch(async (directory) => {
    const files = await readArchive(archive, join(directory, 'contents')).catch(unreadable);
    const { images, source } = await imagesIn(files);
    for (const { name: written, digest: wanted } of named(images, asked.name)) {
      const onProgress = tellTransfers(call, clock);
      const canonical = formatReference(parseReference(written));
      const name = { written, canonical };
      const { digest } = await shelf.take({ source, wanted, name, onProgress }, signal);
      say({ note: `${written}: ${digest}` });
    }
  });
}

function unreadable(cause: unknown): never {
  if (!(cause instanceof ImageError && cause.reason === 'InvalidLayer')) throw cause;
  const hint = 'of one that is compressed: zcat FILE | orc image import -';
  throw new ImageError('InvalidManifest', `the archive can't be read (${hint})`, { cause });
}

/** Throws ImageError where the names aren't enough. Pure. */
function named(images: readonly ArchiveImage[], name: string | undefined) {
  const digests = new Set(images.map(({ digest }) => digest));
  const refuse = (why: string) => new ImageError('InvalidImageName', why);
  if (digests.size === 0) throw refuse('the archive has no image in it');
  if (name !== undefined && digests.size > 1)
    throw refuse(`the archive has ${digests.size} images: they can't all be called ${name}`);
  if (name !== undefined) return [...digests].map((digest) => ({ name, digest }));
  return images.flatMap(({ digest, names }) => {
    if (names.length > 0) return names.map((one) => ({ name: one, digest }));
    throw refuse(`the archive doesn't say what ${digest} is called: give --name`);
  });
}
