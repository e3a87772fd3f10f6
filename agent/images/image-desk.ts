import type { Readable } from 'node:stream';
import type { ImageLine, ImageRequest, Transfer } from '../../api/node-images.ts';
import type { Clock } from '../../base/clock.ts';
import { ImageError } from './image-error.ts';
import type { ImageName, ImageRecord, ImageRecords } from './image-index.ts';
import type { ImageStore } from './image-store.ts';
import { formatReference, parseReference } from './reference.ts';

/** What acts on images work with. */
export interface ImageDesk {
  readonly store: ImageStore;
  /** Ids and references of what pods and containers of this node stand on, or will. */
  needed(): Promise<ReadonlySet<string>>;
  readonly clock: Clock;
}

export interface ImageCall {
  readonly asked: ImageRequest;
  /** What an import reads. */
  readonly archive: Readable;
  say(line: ImageLine): void;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
}

const tellEveryMs = 100;

/** Tells that often, and whenever one is done. */
export function tellTransfers({ say }: ImageCall, clock: Clock) {
  let [nextMs, doneBefore] = [0, -1];
  return ({ layers: transfers }: { readonly layers: readonly Transfer[] }) => {
    const done = transfers.filter(({ isDone }) => isDone).length;
    if (done === doneBefore && clock.monotonic() < nextMs) return;
    [nextMs, doneBefore] = [clock.monotonic() + tellEveryMs, done];
    say({ transfers });
  };
}

/** For the registry of that name. */
export function loginOf({ user, password = '' }: ImageRequest, reference: string) {
  const { registry } = parseReference(reference);
  return user === undefined ? [] : [{ registry, username: user, password }];
}

type FoundImage = Readonly<{ record: ImageRecord; name?: ImageName }>;

/** The image that somebody means by a name or by the beginning of its id. Throws ImageError. Pure. */
export function findImage(records: ImageRecords, text: string): FoundImage {
  const [, hex] = /^(?:sha256:)?([0-9a-f]{4,64})$/.exec(text) ?? [];
  const [record, ...others] = records.filter(({ id }) => hex && id.startsWith(`sha256:${hex}`));
  if (others.length > 0) throw unknown(`several images' ids begin with ${text}`);
  const found = record ? { record } : findNamed(records, text);
  if (found) return found;
  throw unknown(`no image on this node is called ${text}; orc image ls shows what there is`);
}

/** By its name. Throws ImageError InvalidImageName. Pure. */
export function findNamed(records: ImageRecords, text: string): FoundImage | undefined {
  const canonical = formatReference(parseReference(text));
  for (const record of records) {
    const name = record.references.find((one) => one.canonical === canonical);
    if (name) return { record, name };
  }
  return undefined;
}

const unknown = (why: string) => new ImageError('ManifestUnknown', why);
