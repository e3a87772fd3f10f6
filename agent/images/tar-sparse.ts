import { invalidLayer } from './image-error.ts';
import { wholeNumber } from './pax.ts';
import {
  blockBytes,
  headerNumber,
  type TarEntry,
  type TarHeader,
  type TarRange,
} from './tar-header.ts';

/** Of one file; the writer has room for so many (native/unpack.c). */
const maxRanges = 65_536;

const maxMapBytes = 1024 * 1024;

/** Asks for one block of the archive after another: each is gone with the next. */
type FromBlocks<T> = Generator<typeof oneBlock, T, Buffer>;

export const oneBlock = { bytes: blockBytes };

/**
 * The entry; in one of GNU tar's four sparse formats (its manual, "Storing Sparse Files") the file that it stands for. Reads what
 * of the map is in blocks of its own. Throws ImageError InvalidLayer.
 */
export function* withRanges(
  entry: TarEntry,
  header: TarHeader,
  pax: ReadonlyMap<string, string>,
): FromBlocks<TarEntry> {
  if (header.flag === 'S') {
    const size = headerNumber(header.block, 483, 12);
    return sparse(entry, { size, numbers: yield* oldMap(header.block) });
  }
  if (pax.size === 0) return entry;
  const size = mapNumber(pax.get('size') ?? pax.get('realsize') ?? '');
  const version = `${pax.get('major') ?? 0}.${pax.get('minor') ?? 1}`;
  if (/^0\.[01]$/.test(version)) return sparse(entry, { size, numbers: paxMap(pax) });
  if (version !== '1.0') throw invalidLayer(`sparse files of version ${version} are unknown`);
  const { numbers, bytes } = yield* mapBeforeContent();
  return sparse({ ...entry, size: entry.size - bytes }, { size, numbers });
}

/** The oldest: four ranges are in the header, 21 in each block after it. */
function* oldMap(header: Buffer): FromBlocks<readonly number[]> {
  if (header.toString('latin1', 257, 263) !== 'ustar ')
    throw invalidLayer('it is sparse in another way than GNU’s');
  const numbers = numbersIn(header, 386, 8);
  for (let goesOn = header[482]; goesOn !== 0; ) {
    const further = yield oneBlock;
    numbers.push(...numbersIn(further, 0, 42));
    if (numbers.length > 2 * maxRanges) throw tooManyRanges();
    goesOn = further[504];
  }
  return numbers;
}

function numbersIn(bytes: Buffer, start: number, count: number): number[] {
  const numbers: number[] = [];
  for (let at = start; at < start + 12 * count && bytes[at] !== 0; at += 12)
    numbers.push(headerNumber(bytes, at, 12));
  return numbers;
}

/** 0.1 has a list, 0.0 a record for each offset and length. */
function paxMap(pax: ReadonlyMap<string, string>): readonly number[] {
  const list = (key: string) => (pax.get(key) || undefined)?.split(',').map(mapNumber) ?? [];
  const lengths = list('numbytes');
  const pairs = list('offset').flatMap((offset, i) => [offset, lengths[i] ?? -1]);
  return pairs.length > 0 ? pairs : list('map');
}

/** 1.0: lines of digits, in whole blocks. The first says how many ranges there are. */
function* mapBeforeContent(): FromBlocks<{ numbers: readonly number[]; bytes: number }> {
  let text = '';
  let lines = 0;
  let wanted = 1;
  while (lines < wanted) {
    const part = (yield oneBlock).toString('latin1');
    text += part;
    lines += part.split('\n').length - 1;
    if (wanted === 1 && lines > 0) wanted += 2 * mapNumber(text.slice(0, text.indexOf('\n')));
    if (wanted > 1 + 2 * maxRanges || text.length > maxMapBytes) throw tooManyRanges();
  }
  return { numbers: text.split('\n', wanted).slice(1).map(mapNumber), bytes: text.length };
}

const mapNumber = (text: string) => wholeNumber('GNU.sparse', text);

const tooManyRanges = () => invalidLayer(`it is a sparse file of more than ${maxRanges} pieces`);

/** `numbers` are offsets and lengths in turn. The entry's own size is that of what is stored. */
function sparse(
  entry: TarEntry,
  { size, numbers }: { readonly size: number; readonly numbers: readonly number[] },
): TarEntry {
  if (entry.type !== 'file') throw invalidLayer('it is sparse, but no file');
  if (numbers.length > 2 * maxRanges) throw tooManyRanges();
  const ranges: TarRange[] = [];
  let end = 0;
  for (let i = 0; i < numbers.length; i += 2) {
    const [offset = 0, bytes = -1] = numbers.slice(i, i + 2);
    if (offset < end || bytes < 0) throw invalidLayer('the map of a sparse file is out of order');
    ranges.push({ offset, bytes });
    end = offset + bytes;
  }
  const file = { ...entry, size, ranges };
  if (end > size) throw invalidLayer('the map of a sparse file reaches beyond its end');
  if (storedBytes(file) !== entry.size)
    throw invalidLayer('the map of a sparse file does not fit its content');
  return file;
}

/** How much content follows in the archive. */
export const storedBytes = ({ size, ranges }: TarEntry): number =>
  ranges?.reduce((sum, { bytes }) => sum + bytes, 0) ?? size;
