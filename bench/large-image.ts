import { createCipheriv } from 'node:crypto';
import type { Rng } from '../base/rng.ts';
import { type LayerFile, packLayer } from '../dev/images/layer.ts';
import { ensureImage, type ImageSource, type OciImage } from '../dev/images/oci-image.ts';
import { seededRng } from '../test/support/seeded-rng.ts';

/** Of its tars. */
export const largeImageMegabytes = 637;

/**
 * 637 MB in five layers, made of nothing but a seed: a base like Debian's, libraries, an application of many small files, a
 * few large ones, and a layer that takes away and replaces. Made once (half a minute), then found below `cacheDir`.
 */
export function buildLargeImage(
  compression: ImageSource['compression'],
  cacheDir: string,
): Promise<OciImage> {
  const layers = [
    { comment: 'base', files: base },
    { comment: 'libraries', files: libraries },
    { comment: 'application', files: application },
    { comment: 'large files', files: largeFiles },
    { comment: 'changes', files: changes },
  ];
  return ensureImage(
    {
      name: `large-${compression}`,
      key: '1',
      index: true,
      compression,
      layers,
      config: { Cmd: ['/usr/bin/program-0'], Env: ['PATH=/usr/bin'] },
      tars: () => Promise.all(layers.map(({ files }, seed) => packLayer(files(makerOf(seed + 1))))),
    },
    cacheDir,
  );
}

const megabyte = 1_000_000;

function base(make: Maker): readonly LayerFile[] {
  const programs = make.sizes(900, 62 * megabyte).map((size, i) => ({
    ...({ path: `usr/bin/program-${i}`, type: 'file', mode: 0o755 } as const),
    bytes: make.machineCode(size),
  }));
  const texts = make.sizes(11_100, 48 * megabyte).map((size, i) => ({
    ...({ path: `usr/share/${i % 130}/${i % 910}/text-${i}`, type: 'file', mode: 0o644 } as const),
    bytes: make.text(size),
  }));
  const links = Array.from({ length: 400 }, (_, i) => ({
    ...({ path: `usr/bin/also-${i}`, type: 'symlink', to: `program-${i}` } as const),
  }));
  return [...programs, ...texts, ...links];
}

function libraries(make: Maker): readonly LayerFile[] {
  return make.sizes(500, 165 * megabyte).flatMap((size, i): LayerFile[] => [
    { path: `usr/lib/lib${i}.so.1.2`, type: 'file', mode: 0o644, bytes: make.machineCode(size) },
    { path: `usr/lib/lib${i}.so.1`, type: 'symlink', to: `lib${i}.so.1.2` },
  ]);
}

function application(make: Maker): readonly LayerFile[] {
  return make.sizes(9_000, 82 * megabyte).map((size, i) => ({
    path: `opt/app/modules/package-${i % 450}/lib/${i % 1_350}/module-${i}.js`,
    ...{ type: 'file', mode: 0o644, bytes: make.text(size) },
  }));
}

function largeFiles(make: Maker): readonly LayerFile[] {
  const file = (path: string, bytes: Uint8Array): LayerFile => ({
    ...{ path, type: 'file', mode: 0o644, bytes },
  });
  return [
    file('opt/models/weights.bin', make.noise(76 * megabyte)),
    file('opt/models/index.bin', make.machineCode(74 * megabyte)),
    file('opt/data/table.csv', make.text(50 * megabyte)),
    file('opt/data/archive.zip', make.noise(20 * megabyte)),
  ];
}

function changes(make: Maker): readonly LayerFile[] {
  const whiteouts = Array.from(
    { length: 300 },
    (_, i) => `usr/share/${i % 130}/${i}/.wh.text-${i}`,
  );
  const opaque = Array.from({ length: 20 }, (_, i) => `opt/app/modules/package-${i}/.wh..wh..opq`);
  const replaced = make.sizes(1_200, 40 * megabyte).map((size, i) => ({
    path: i % 2 ? `usr/bin/program-${i}` : `opt/app/modules/package-${i % 450}/changed-${i}.js`,
    ...({ type: 'file', mode: 0o755 } as const),
    bytes: i % 2 ? make.machineCode(size) : make.text(size),
  }));
  const marks = [...whiteouts, ...opaque].map((path) => ({
    ...({ path, type: 'file', mode: 0o600, bytes: Buffer.alloc(0) } as const),
  }));
  return [...replaced, ...marks];
}

type Maker = ReturnType<typeof makerOf>;

function makerOf(seed: number) {
  const rng = seededRng(seed);
  return {
    /** Half of them are small, a few are a hundred times larger; together exactly this many bytes. */
    sizes(count: number, total: number): readonly number[] {
      const weights = Array.from({ length: count }, () => 1 / (rng.fraction() + 0.004));
      const sum = weights.reduce((all, weight) => all + weight, 0);
      const sizes = weights.map((weight) => Math.floor((weight / sum) * total));
      sizes[0]! += total - sizes.reduce((all, size) => all + size, 0);
      return sizes;
    },
    text: (size: number): Uint8Array => repetitive(size, rng, { fresh: 4, seen: 15, of: 40 }),
    machineCode: (size: number): Uint8Array =>
      repetitive(size, rng, { fresh: 5, seen: 13, of: 160 }),
    /** As compressed or encrypted ones are. */
    noise: (size: number): Uint8Array =>
      createCipheriv('aes-128-ctr', rng.bytes(16), Buffer.alloc(16)).update(Buffer.alloc(size)),
  };
}

interface Repetition {
  /** Average lengths of what wasn't there before, and of what was. */
  readonly fresh: number;
  readonly seen: number;
  /** How many different bytes. */
  readonly of: number;
}

/**
 * What gzip sees in files: bytes that are new, then a piece of what it had in its window. With the lengths here it makes as
 * much of them as of Debian's own programs (0.39) and texts (0.29), and inflates them at the same speed.
 */
function repetitive(size: number, rng: Rng, { fresh, seen, of }: Repetition): Uint8Array {
  const out = new Uint8Array(size);
  let state = Math.floor(rng.fraction() * 2 ** 32) | 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  for (let at = 0; at < size; ) {
    const literals = Math.min(size, at + 1 + (next() % (2 * fresh - 1)));
    while (at < literals) out[at++] = byteOf(next(), of);
    // A few are long.
    const mean = (next() & 15) === 0 ? 6 * seen : (seen * 2) / 3;
    const end = Math.min(size, at + 4 + (next() % Math.ceil(2 * mean - 7)));
    for (let from = at - 1 - (next() % Math.min(at, window)); at < end; ) out[at++] = out[from++]!;
  }
  return out;
}

const window = 32_000;

/** The lower, the more frequent. */
const byteOf = (number: number, of: number) =>
  32 + (((number & 0xffff) * ((number >>> 16) & 0xffff)) / 0x1_0000_0000) * of;
