import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ImageRecord } from '../../../agent/images/image-index.ts';
import { type JsonChild, startJsonChild } from '../../support/json-child.ts';
import { processesNaming } from '../../support/layer-box.ts';
import { pause } from '../../support/misfortunes.ts';
import { serveRegistry, type TestRegistry } from '../../support/registry.ts';
import { rounds } from '../../support/rounds.ts';
import { seededRng } from '../../support/seeded-rng.ts';
import { type RawTarEntry, tarArchive } from '../../support/tar-archive.ts';
import { listTree, type TreeFile } from '../../support/tree-listing.ts';
import { waitFor } from '../../support/wait-for.ts';

const seed = Number(process.env.CHAOS_SEED ?? 7);
const rng = seededRng(seed);
const kills = rounds(10);
/** How much was there when they were killed. */
const tally = { layers: [0, 0, 0, 0, 0, 0], partial: 0, whole: 0 };
let scratch: string;
let registry: TestRegistry;
let reference: string;
/** How long a pull takes that nobody disturbs, and what it leaves. */
let undisturbedMs: number;
let expected: Remains;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'orc-kill-pull-'));
  registry = await serveRegistry();
  reference = registry.put('five:1', { layers: [0, 1, 2, 3, 4].map(layer), index: true });
  const directory = join(scratch, 'undisturbed');
  const store = await openStore(directory);
  const start = performance.now();
  await store.call('pull', { reference });
  undisturbedMs = performance.now() - start;
  await store.end();
  expected = await remains(directory);
});

afterAll(async () => {
  await registry.close();
  rmSync(scratch, { recursive: true });
  console.log(
    `kill-pull: CHAOS_SEED=${seed}, ${kills} kills in ${Math.round(undisturbedMs)} ms`,
    tally,
  );
});

it(
  'a pull that is killed at any moment is made good by the next one, and nothing of it remains',
  async () => {
    for (let i = 0; i < kills; i++) {
      const directory = join(scratch, `killed-${i}`);
      await killDuringPull(directory);
      const next = await openStore(directory);
      await lookAfterKill(directory, next);
      await next.call('pull', { reference });
      await next.end();
      await waitFor('its writers’ end', () => processesNaming(directory).length === 0);
      expect({ kill: i, ...(await remains(directory)) }).toEqual({ kill: i, ...expected });
      rmSync(directory, { recursive: true });
    }
  },
  rounds(120_000),
);

/** Files of some megabytes, so that a moment is in the middle of one; links, whiteouts, many directories. */
function layer(number: number): Buffer {
  const own = seededRng(number);
  const made = Array.from({ length: 60 }, (_, i): RawTarEntry[] => [
    { path: `shared/${i % 7}/${number}-${i}/`, flag: '5', mode: 0o750, uid: i, mtime: 1000 + i },
    { path: `shared/${i % 7}/${number}-${i}/file`, content: own.bytes(20_000), mtime: i },
    { path: `hard/${number}/${i}`, flag: '1', link: `shared/${i % 7}/${number}-${i}/file` },
    { path: `links/${number}-${i}`, flag: '2', link: `../hard/${number}/${i}` },
    { path: `shared/${i % 7}/.wh.${number - 1}-${i}` },
  ]);
  const shared = Array.from({ length: 7 }, (_, i) => `shared/${i}`);
  const directories = ['', 'shared', ...shared, 'hard', `hard/${number}`, 'links', 'large'];
  const listed = directories.map(
    (path): RawTarEntry => ({ path: `./${path}`, flag: '5', mode: 0o755 }),
  );
  return tarArchive([
    ...listed,
    ...made.flat(),
    { path: `large/${number}`, content: own.bytes(1_500_000) },
  ]);
}

async function openStore(directory: string): Promise<JsonChild> {
  const program = new URL('../../support/image-store-child.ts', import.meta.url).pathname;
  const child = startJsonChild(process.execPath, [program]);
  await child.call('open', { directory, registry: registry.host });
  return child;
}

/** After so many layers were there, and a moment more. */
async function killDuringPull(directory: string): Promise<void> {
  const store = await openStore(directory);
  const over = store.call('pull', { reference }).then(
    () => true,
    () => true,
  );
  const awaited = Math.floor(rng.fraction() * 6);
  const isThere = () => readdirSync(join(directory, 'layers')).length >= awaited;
  await waitFor(`${awaited} layers`, isThere, 20_000);
  await pause({ rng }, 0, undisturbedMs / (awaited === 0 ? 1 : 4));
  await store.kill();
  await over;
  tally.layers[readdirSync(join(directory, 'layers')).length]! += 1;
  tally.partial += readdirSync(join(directory, 'partial')).length;
}

/** What a record names is whole, from the first moment that there is one. */
async function lookAfterKill(directory: string, next: JsonChild): Promise<void> {
  const layers = readdirSync(join(directory, 'layers')).length;
  expect(readdirSync(join(directory, 'unfinished'))).toEqual([]);
  if ((await next.call('find', { reference })) === null) {
    expect(layers).toBe(0);
    return;
  }
  tally.whole += 1;
  expect((await remains(directory)).layers).toEqual(expected.layers);
}

interface Remains {
  readonly layers: Readonly<Record<string, unknown>>;
  readonly records: readonly ImageRecord[];
  readonly others: Readonly<Record<string, readonly string[]>>;
}

/** All that a pull leaves on disk; no process of it may be left. */
async function remains(directory: string): Promise<Remains> {
  const layers: Record<string, unknown> = {};
  for (const name of readdirSync(join(directory, 'layers')).sort())
    layers[name] = [...(await listTree(join(directory, 'layers', name))).values()].map(withoutTime);
  const others = ['blobs', 'partial', 'unfinished', '.'].map((name) => [
    name,
    readdirSync(join(directory, name)).sort(),
  ]);
  const { images } = JSON.parse(readFileSync(join(directory, 'images.json'), 'utf8')) as {
    images: readonly ImageRecord[];
  };
  return { layers, records: images, others: Object.fromEntries(others) };
}

/** A whiteout's is that of its making. */
const withoutTime = (file: TreeFile): TreeFile =>
  file.type === 'char-device' ? { ...file, mtime: '' } : file;
