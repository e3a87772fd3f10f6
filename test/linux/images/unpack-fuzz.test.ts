import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { wholeFile } from '../../../agent/images/growing-file.ts';
import { ImageError, type ImageErrorReason } from '../../../agent/images/image-error.ts';
import type { LayerLimits } from '../../../agent/images/layer-plan.ts';
import { openUnpacker } from '../../../agent/images/unpacker.ts';
import { systemClock } from '../../../base/clock.ts';
import { removeTree } from '../../../base/remove-tree.ts';
import { nativeBinary } from '../../../native/binary.ts';
import { fuzzLayer } from '../../support/layer-fuzz.ts';
import { rounds } from '../../support/rounds.ts';
import { sanitisedBinary } from '../../support/sanitised.ts';
import { seededRng } from '../../support/seeded-rng.ts';

const cases = rounds(nativeBinary === sanitisedBinary ? 150 : 2000);
/** Of the first case, whose number is said when one fails. */
const firstSeed = Number(process.env.FUZZ_SEED ?? 1);
const unpacker = openUnpacker(systemClock());
const tally: Partial<Record<ImageErrorReason | 'unpacked', number>> = {};
let scratch: string;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'orc-fuzz-'));
});

afterAll(async () => {
  await unpacker.close();
  rmSync(scratch, { recursive: true });
  console.log(`unpack-fuzz: ${cases} layers from seed ${firstSeed}: ${JSON.stringify(tally)}`);
});

const limits: LayerLimits = {
  maxEntries: 100,
  maxUnpackedBytes: 16 << 20,
  maxDirectoryBytes: 1 << 20,
  maxRatio: 200,
  ratioFromBytes: 1 << 20,
};

/** Refused in these words only; StorageFailed would be a crash of the writer, or a defect of ours. */
const refusals: ReadonlySet<string> = new Set(['InvalidLayer', 'DigestMismatch', 'TooLarge']);

const boundMs = 20_000;

it(
  'whatever a layer is, it is unpacked or refused in words, and nothing outside of it changes',
  async () => {
    let seed = firstSeed;
    const lane = async (number: number) => {
      const place = openPlace(join(scratch, String(number)));
      while (seed < firstSeed + cases) await unpackOne(seed++, place);
    };
    await Promise.all([0, 1, 2].map(lane));
    // It would find little if all were refused.
    expect(tally.unpacked).toBeGreaterThan(cases / 10);
    expect(tally.InvalidLayer).toBeGreaterThan(cases / 10);
  },
  rounds(120_000),
);

/** A directory with what nobody may touch in it, and room for a layer. */
function openPlace(directory: string) {
  const outside = join(directory, 'outside');
  mkdirSync(join(outside, 'a'), { recursive: true });
  for (const name of ['secret', 'a/b']) writeFileSync(join(outside, name), 'untouched');
  const seen = () =>
    ['.', 'secret', 'a', 'a/b'].map((name) => {
      const { mode, uid, gid, nlink, mtimeNs, ctimeNs } = lstatSync(join(outside, name), {
        bigint: true,
      });
      return [name, mode, uid, gid, nlink, mtimeNs, ctimeNs].join(' ');
    });
  return { directory, outside, seen, before: seen() };
}

async function unpackOne(seed: number, place: ReturnType<typeof openPlace>): Promise<void> {
  const { tar, compression, blob } = fuzzLayer(seededRng(seed), place.outside);
  const path = join(place.directory, 'blob');
  const directory = join(place.directory, 'layer');
  writeFileSync(path, blob);
  mkdirSync(directory);
  const request = {
    ...{ blob: wholeFile(path, blob.length), compressedBytes: blob.length, compression, limits },
    ...{ diffId: digestOf(tar), directory, writer: [nativeBinary, 'orc-unpack'] as const },
  };
  const outcome = await unpacker.unpack(request, AbortSignal.timeout(boundMs)).then(
    () => 'unpacked' as const,
    (error: unknown) => {
      const isKnown = error instanceof ImageError && refusals.has(error.reason);
      if (!isKnown) throw new Error(`FUZZ_SEED=${seed}`, { cause: error });
      return error.reason;
    },
  );
  tally[outcome] = (tally[outcome] ?? 0) + 1;
  expect({ seed, seen: place.seen() }).toEqual({ seed, seen: place.before });
  await removeTree(directory);
  expect({ seed, left: readdirSync(place.directory).sort() }).toEqual({
    seed,
    left: ['blob', 'outside'],
  });
  expect(readFileSync(join(place.outside, 'secret'), 'utf8')).toBe('untouched');
}

const digestOf = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
