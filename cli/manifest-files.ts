import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { readIfPresent } from '../base/durable-file.ts';
import { about } from '../base/error-chain.ts';
import { CliError } from './cli-error.ts';
import type { Io } from './io.ts';
import { joinManifests, type Manifest, parseManifest } from './manifest.ts';

/** Files, directories, and "-" for standard input, in the order given; a directory's files by name. Throws CliError. */
export async function readManifests(
  paths: readonly string[],
  { recursive, io }: { recursive: boolean; io: Pick<Io, 'stdin'> },
): Promise<Manifest> {
  const files = (await Promise.all(paths.map((path) => filesAt(path, recursive)))).flat();
  const manifests = await Promise.all(
    files.map(async (file) =>
      parseManifest(file === '-' ? 'stdin' : file, await readOne(file, io)),
    ),
  );
  const all = joinManifests(manifests);
  if (all.objects.length === 0 && all.findings.length === 0)
    throw new CliError(`there is no object in ${paths.join(', ')}`);
  return all;
}

async function filesAt(path: string, recursive: boolean): Promise<readonly string[]> {
  if (path === '-') return ['-'];
  const found = await about(`cannot read ${path}`, readIfPresent(stat(path)));
  if (!found) throw new CliError(`there is no file or directory ${path}`);
  if (!found.isDirectory()) return [path];
  const names = await readdir(path, { recursive });
  const files = names.filter((name) => /\.(ya?ml|json)$/.test(name)).sort();
  if (files.length === 0)
    throw new CliError(
      `${path} holds no .yaml, .yml or .json file${recursive ? '' : ' (-R looks deeper)'}`,
    );
  return files.map((name) => join(path, name));
}

async function readOne(file: string, { stdin }: Pick<Io, 'stdin'>): Promise<string> {
  const read = file === '-' ? buffer(stdin) : readFile(file);
  const decoded = read.then((bytes) => new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  return about(`cannot read ${file}`, decoded);
}
