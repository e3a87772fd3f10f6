import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { TarEntry } from '../../agent/images/tar-header.ts';
import { tarReader } from '../../agent/images/tar-reader.ts';

/** One of a tree's files, with everything that a container can see of it. Names are latin1. */
export interface TreeFile {
  readonly path: string;
  readonly type: TarEntry['type'];
  readonly mode: string;
  readonly owner: string;
  /** In seconds, with nine digits after the point. */
  readonly mtime: string;
  readonly device: string;
  /** Target of a symbolic link, or the first name of the same file. */
  readonly link: string;
  /** NAME=HEX, sorted. */
  readonly xattrs: readonly string[];
  /** Bytes and their digest. */
  readonly content: string;
}

/** By path, as GNU tar reads it, which sees all of it: nothing else that is everywhere does. `enter` runs it elsewhere. */
export async function listTree(
  directory: string,
  enter: readonly string[] = [],
): Promise<ReadonlyMap<string, TreeFile>> {
  const options = ['--xattrs', '--xattrs-include=*', '--numeric-owner', '--sort=name'];
  const command = [...enter, 'tar', ...options, '--format=pax', '-C', directory, '-cf', '-', '.'];
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'close') as Promise<[number | null]>;
  const { files, reader } = collect();
  for await (const chunk of child.stdout) reader.push(chunk as Buffer);
  reader.end();
  const [code] = await exited;
  if (code !== 0) throw new Error(`tar of ${directory} ended with ${code}`);
  return files();
}

function collect() {
  const entries: { entry: TarEntry; bytes: number; hash: ReturnType<typeof createHash> }[] = [];
  const reader = tarReader({
    entry: (entry) => void entries.push({ entry, bytes: 0, hash: createHash('sha256') }),
    content(piece) {
      const last = entries.at(-1);
      if (last === undefined) return;
      last.hash.update(piece);
      last.bytes += piece.length;
    },
  });
  const files = () =>
    new Map(
      entries.map(({ entry, bytes, hash }) => {
        const file = describe(entry, `${bytes} ${hash.digest('hex')}`);
        return [file.path, file];
      }),
    );
  return { files, reader };
}

function describe(entry: TarEntry, content: string): TreeFile {
  const { type, mtime, xattrs, uid, gid } = entry;
  return {
    path: entry.path.replace(/\/$/, '').replace(/^\.\//, ''),
    type,
    mode: entry.mode.toString(8),
    owner: `${uid}:${gid}`,
    mtime: `${mtime.seconds}.${String(mtime.nanoseconds).padStart(9, '0')}`,
    device: `${entry.major}:${entry.minor}`,
    link: entry.link.replace(/^\.\//, ''),
    xattrs: [...xattrs].map(([name, value]) => `${name}=${value.toString('hex')}`).sort(),
    content: type === 'file' ? content : '',
  };
}
