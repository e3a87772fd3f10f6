import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { blobPath, type OciImage } from '../dev/images/oci-image.ts';
import { ensurePackages } from '../dev/images/packages.ts';
import { startJsonChild } from '../test/support/json-child.ts';
import { runProgram } from '../test/support/run-program.ts';
import { processorSeconds } from './processor-time.ts';

/** A part of every pull, done as cheaply as it can be, on two processors. */
export interface FloorStep {
  readonly name: string;
  /** False: another way to do what the step before it does. */
  readonly isNeeded: boolean;
  run(): Promise<Spent>;
}

export interface Spent {
  readonly ms: number;
  readonly processorSeconds: number;
}

export interface FloorOptions {
  readonly dir: string;
  readonly cacheDir: string;
  /** Gzipped, and in the registry. */
  readonly image: OciImage;
  /** Of the registry, at this port and in this process. */
  readonly port: number;
  readonly registryPid: number;
  /** An empty directory on a fresh file system. */
  readonly freshDirectory: () => Promise<string>;
}

/** The steps are those of bench/image-floor.c. What a registry spends on an answer is its reader's too: they share processors. */
export async function prepareFloor(options: FloorOptions): Promise<readonly FloorStep[]> {
  const { image, port, registryPid } = options;
  const [deflate, crypto] = await ensurePackages(floorPackages, options.cacheDir);
  const library = (directory: string, name: string) =>
    join(directory, `usr/lib/${machine}-linux-gnu`, name);
  const blobs = await largestFirst(image.layers.map(({ digest }) => blobPath(image, digest)));
  const tars = await largestFirst(await unzipped(blobs, join(options.dir, 'tars')));
  const program = join(options.dir, 'image-floor');
  const source = join(import.meta.dirname, 'image-floor.c');
  await output('gcc', ['-O2', '-std=gnu17', '-D_GNU_SOURCE', '-pthread', '-o', program, source]);
  const step = async (...args: readonly string[]): Promise<Spent> => {
    const [wall, processor] = (await output(program, args)).split(' ').map(Number);
    return { ms: wall! / 1e6, processorSeconds: processor! / 1e9 };
  };
  return [
    {
      name: 'blobs read from the registry',
      isNeeded: true,
      async run() {
        const before = await processorSeconds(registryPid);
        const paths = image.layers.map(({ digest }) => `/v2/${image.name}/blobs/${digest}`);
        const { ms, processorSeconds: own } = await step('get', `${port}`, ...paths);
        return { ms, processorSeconds: own + (await processorSeconds(registryPid)) - before };
      },
    },
    {
      name: 'SHA-256 of blobs and tars (OpenSSL)',
      isNeeded: true,
      run: () => step('hash', library(crypto!.directory, 'libcrypto.so.3'), ...tars, ...blobs),
    },
    {
      name: 'gunzip (libdeflate)',
      isNeeded: true,
      run: () => step('gunzip', library(deflate!.directory, 'libdeflate.so.0'), ...blobs),
    },
    { name: 'gunzip (zlib of Node, streams)', isNeeded: false, run: () => gunzipWithNode(blobs) },
    {
      name: 'files written and synced',
      isNeeded: true,
      run: async () => step('write', await options.freshDirectory(), ...tars),
    },
  ];
}

export const floorPackages = ['libdeflate0', 'libssl3'];

const machine = process.arch === 'x64' ? 'x86_64' : 'aarch64';

async function output(program: string, args: readonly string[]): Promise<string> {
  const { code, out, err } = await runProgram(program, args);
  if (code !== 0) throw new Error(`${program}: ${err}`);
  return out;
}

/** So that two processors end at about the same time. */
async function largestFirst(paths: readonly string[]): Promise<readonly string[]> {
  const sized = paths.map(async (path) => ({ path, size: (await stat(path)).size }));
  const sorted = (await Promise.all(sized)).sort((a, b) => b.size - a.size);
  return sorted.map(({ path }) => path);
}

async function unzipped(blobs: readonly string[], dir: string): Promise<readonly string[]> {
  await mkdir(dir, { recursive: true });
  const each = blobs.map(async (blob, index) => {
    const path = join(dir, `${index}.tar`);
    await pipeline(createReadStream(blob), createGunzip(), createWriteStream(path));
    return path;
  });
  return Promise.all(each);
}

/** In two processes, each of which takes the next one when it is done with one. */
async function gunzipWithNode(blobs: readonly string[]): Promise<Spent> {
  const program = join(import.meta.dirname, 'gunzip-child.ts');
  const children = [1, 2].map(() => startJsonChild(process.execPath, [program]));
  const used = async () =>
    (await Promise.all(children.map(({ pid }) => processorSeconds(pid)))).reduce((a, b) => a + b);
  try {
    await Promise.all(children.map((child) => child.call('ready')));
    const [before, begun] = [await used(), performance.now()];
    const queue = [...blobs];
    const takeAll = children.map(async (child) => {
      for (let file = queue.shift(); file !== undefined; file = queue.shift())
        await child.call('gunzip', { file });
    });
    await Promise.all(takeAll);
    return { ms: performance.now() - begun, processorSeconds: (await used()) - before };
  } finally {
    await Promise.all(children.map((child) => child.end()));
  }
}
