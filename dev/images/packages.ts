import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface DebianPackage {
  /** File name of the .deb: names version and architecture. */
  readonly file: string;
  /** Where its files are unpacked; nothing of it is installed or run. */
  readonly directory: string;
}

/**
 * Fetches Debian packages with `apt-get download` and unpacks each with `dpkg -x`, below `cacheDir`. What is there
 * already is used as it is, so a filled cache needs no network. Dependencies are not followed: name them.
 */
export async function ensurePackages(
  names: readonly string[],
  cacheDir: string,
): Promise<readonly DebianPackage[]> {
  const debs = join(cacheDir, 'debs');
  await mkdir(debs, { recursive: true });
  const missing = missingFrom(await readdir(debs), names);
  if (missing.length > 0) await download(missing, debs);
  const files = await readdir(debs);
  return Promise.all(names.map((name) => unpack(fileOf(files, name), cacheDir)));
}

function missingFrom(files: readonly string[], names: readonly string[]): readonly string[] {
  return names.filter((name) => !files.some((file) => isFileOf(file, name)));
}

function isFileOf(file: string, name: string): boolean {
  return file.startsWith(`${name}_`) && file.endsWith('.deb');
}

function fileOf(files: readonly string[], name: string): string {
  const file = files
    .filter((candidate) => isFileOf(candidate, name))
    .sort()
    .at(-1);
  if (file === undefined) throw new Error(`apt-get download left no file for package "${name}"`);
  return join('debs', file);
}

/** Into a directory of its own first: a broken or concurrent download is never mistaken for a package. */
async function download(names: readonly string[], debs: string): Promise<void> {
  const partial = await mkdtemp(join(debs, '.partial-'));
  try {
    await run('apt-get', ['-q', 'download', ...names], { cwd: partial });
    for (const file of await readdir(partial)) await rename(join(partial, file), join(debs, file));
  } catch (cause) {
    const hint = 'the package lists may be missing or old: run "apt-get update" once';
    throw new Error(`downloading Debian packages ${names.join(', ')} (${hint})`, { cause });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

async function unpack(deb: string, cacheDir: string): Promise<DebianPackage> {
  const file = deb.slice('debs/'.length);
  const unpacked = join(cacheDir, 'unpacked');
  const directory = join(unpacked, file.slice(0, -'.deb'.length));
  await mkdir(unpacked, { recursive: true });
  if ((await readdir(unpacked)).includes(file.slice(0, -'.deb'.length))) return { file, directory };
  const partial = await mkdtemp(join(unpacked, '.partial-'));
  try {
    await run('dpkg', ['-x', join(cacheDir, deb), partial]);
    await publishDirectory(partial, directory);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return { file, directory };
}

/** Renames a finished directory into place. Someone else was faster: theirs is as good. */
export async function publishDirectory(finished: string, directory: string): Promise<void> {
  try {
    await rename(finished, directory);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}
