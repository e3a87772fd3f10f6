import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeEach } from 'vitest';
import { wholeFile } from '../../agent/images/growing-file.ts';
import { defaultLayerLimits } from '../../agent/images/layer-plan.ts';
import type { UnpackRequest } from '../../agent/images/unpack-layer.ts';
import { openUnpacker, type Unpacker } from '../../agent/images/unpacker.ts';
import { systemClock } from '../../base/clock.ts';
import { nativeBinary } from '../../native/binary.ts';
import { type RawTarEntry, tarArchive } from './tar-archive.ts';

/** An empty layer to be filled, and beside it a file that nobody may touch: SCRATCH/outside/secret. */
export interface LayerBox {
  readonly unpacker: Unpacker;
  readonly scratch: string;
  readonly layer: string;
  readonly outside: string;
  /** What is in the layer at that path. */
  at(path: string): string;
  /** Throws what the unpacker throws. `more` wins over what fits the tar. */
  unpackTar(tar: Buffer, more?: Partial<UnpackRequest>): Promise<void>;
  unpack(...entries: readonly RawTarEntry[]): Promise<void>;
  /** Everything around the layer that an archive can say: the same before and after, or something got out. */
  surroundings(): readonly string[];
  remove(): void;
}

export function openLayerBox(unpacker: Unpacker): LayerBox {
  const scratch = mkdtempSync(join(tmpdir(), 'orc-layer-'));
  const layer = join(scratch, 'unfinished', 'layer');
  const outside = join(scratch, 'outside');
  mkdirSync(layer, { recursive: true });
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret'), 'untouched');
  const unpackTar = (tar: Buffer, more: Partial<UnpackRequest> = {}) => {
    const request = layerRequest({ tar, directory: layer, blob: join(scratch, 'blob') }, more);
    return unpacker.unpack(request, new AbortController().signal);
  };
  return {
    ...{ unpacker, scratch, layer, outside, unpackTar },
    at: (path) => join(layer, path),
    unpack: (...entries) => unpackTar(tarArchive(entries)),
    surroundings: () => [
      ...fileListing(outside),
      readFileSync(join(outside, 'secret'), 'utf8'),
      ...readdirSync(scratch).filter((name) => !name.startsWith('blob')),
      ...readdirSync(join(scratch, 'unfinished')),
    ],
    remove: () => rmSync(scratch, { recursive: true, force: true }),
  };
}

/** One for each test of a file. */
export function useLayerBox(): LayerBox {
  const unpacker = openUnpacker(systemClock());
  const current: { box?: LayerBox } = {};
  const box = () => {
    if (current.box === undefined) throw new Error('not before the test');
    return current.box;
  };
  beforeEach(() => {
    current.box = openLayerBox(unpacker);
  });
  afterEach(() => box().remove());
  afterAll(() => unpacker.close());
  return {
    unpacker,
    get scratch() {
      return box().scratch;
    },
    get layer() {
      return box().layer;
    },
    get outside() {
      return box().outside;
    },
    at: (path) => box().at(path),
    unpackTar: (tar, more) => box().unpackTar(tar, more),
    unpack: (...entries) => box().unpack(...entries),
    surroundings: () => box().surroundings(),
    remove: () => box().remove(),
  };
}

interface LayerPlace {
  readonly tar: Buffer;
  readonly directory: string;
  /** Written here, compressed. */
  readonly blob: string;
}

const compress = { gzip: gzipSync, zstd: zstdCompressSync, none: (bytes: Buffer) => bytes };

function layerRequest(
  { tar, directory, blob }: LayerPlace,
  more: Partial<UnpackRequest>,
): UnpackRequest {
  const compression = more.compression ?? 'gzip';
  const bytes = compress[compression](tar);
  writeFileSync(blob, bytes);
  return {
    blob: wholeFile(blob, bytes.length),
    compressedBytes: bytes.length,
    compression,
    diffId: `sha256:${createHash('sha256').update(tar).digest('hex')}`,
    directory,
    writer: [nativeBinary, 'orc-unpack'],
    limits: defaultLayerLimits,
    ...more,
  };
}

/** Everything about a tree that an archive can say, in GNU find's words. */
export function fileListing(directory: string): readonly string[] {
  const format = '%P %y %m %U %G %s %T@ %l\\n';
  const lines = execFileSync('find', [directory, '-mindepth', '1', '-printf', format], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  const withoutDirectorySize = (line: string) => line.replace(/^(.* d \d+ \d+ \d+) \d+/, '$1');
  return lines.split('\n').map(withoutDirectorySize).sort();
}

/** Whose command line has it in it. */
export function processesNaming(argument: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(argument);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'ENOENT' || code === 'ESRCH') return false;
      throw error;
    }
  });
}
