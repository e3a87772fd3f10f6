import { ImageError } from './image-error.ts';
import type { ImageName, ImageRecord, ImageRecords } from './image-index.ts';
import { formatReference, parseReference } from './reference.ts';

/** The image that somebody means by a name or by the beginning of its id. Throws ImageError. Pure. */
export function findImage(
  records: ImageRecords,
  text: string,
): { readonly record: ImageRecord; readonly name?: ImageName } {
  const [, hex] = /^(?:sha256:)?([0-9a-f]{4,64})$/.exec(text) ?? [];
  const found = records.filter(({ id }) => hex && id.startsWith(`sha256:${hex}`));
  if (found.length > 1) throw unknown(`"${text}" is the beginning of ${found.length} images' ids`);
  if (found[0] !== undefined) return { record: found[0] };
  const canonical = formatReference(parseReference(text));
  for (const record of records) {
    const name = record.references.find((one) => one.canonical === canonical);
    if (name) return { record, name };
  }
  throw unknown(`no image on this node is called ${text}; orc image ls shows what there is`);
}

const unknown = (why: string) => new ImageError('ManifestUnknown', why);

export const short = (digest: string) => digest.replace('sha256:', '').slice(0, 12);

interface RemovalWish {
  readonly words?: readonly string[] | undefined;
  readonly force?: boolean | undefined;
  /** Ids and names. */
  readonly needed: ReadonlySet<string>;
}

interface Removal {
  readonly id: string;
  readonly names: readonly ImageName[];
  /** No name is left: the image goes with them. */
  readonly isLast: boolean;
}

/** What goes. Throws ImageError for what must not, or isn't there: then nothing goes. Pure. */
export function planRemoval(
  records: ImageRecords,
  { words = [], force = false, needed }: RemovalWish,
): readonly Removal[] {
  const going = new Map<ImageRecord, readonly ImageName[]>();
  for (const { record, name } of words.map((word) => findImage(records, word))) {
    const names = name ? [...(going.get(record) ?? []), name] : record.references;
    going.set(
      record,
      record.references.filter((one) => names.includes(one)),
    );
  }
  return [...going].map(([record, names]) => {
    const isLast = names.length === record.references.length;
    const what = names.map(({ written }) => written).join(', ') || short(record.id);
    const refuse = (why: string) => new ImageError('ImageInUse', `${what} stays: ${why}`);
    if ((isLast && needed.has(record.id)) || names.some(({ written }) => needed.has(written)))
      throw refuse('a pod or a container of this node needs it');
    if (isLast && record.isPinned && !force) throw refuse('it is pinned; --force removes it');
    return { id: record.id, names, isLast };
  });
}
