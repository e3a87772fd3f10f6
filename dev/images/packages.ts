import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtempDisposable, readdir, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
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
export async function ensurePackages(names: readonly string[], cacheDir: string) {
  const debs = join(cacheDir, 'debs');
  await mkdir(debs, { recursive: true });
  const present = await readdir(debs);
  const missing = names.filter((name) => latestOf(present, name) === undefined);
  if (missing.length > 0) await download(missing, debs);
  const files = await readdir(debs);
  return Promise.all(
    names.map(async (name) => {
      const file = latestOf(files, name);
      if (file !== undefined) return { file, directory: await unpack(file, cacheDir) };
      throw new Error(`apt-get download left no file for package "${name}"`);
    }),
  );
}

const latestOf = (files: readonly string[], name: string): string | undefined =>
  files
    .filter((file) => file.startsWith(`${name}_`) && file.endsWith('.deb'))
    .sort()
    .at(-1);

/** Into a directory of its own first: a broken or concurrent download is never mistaken for a package. */
async function download(names: readonly string[], debs: string): Promise<void> {
  await using partial = await mkdtempDisposable(join(debs, '.partial-'));
  const { path } = partial;
  try {
    await run('apt-get', ['-q', 'download', ...names], { cwd: path });
    for (const file of await readdir(path)) await rename(join(path, file), join(debs, file));
  } catch (cause) {
    const hint = 'the package lists may be missing or old: run "apt-get update" once';
    throw new Error(`downloading Debian packages ${names.join(', ')} (${hint})`, { cause });
  }
}

async function unpack(file: string, cacheDir: string): Promise<string> {
  const directory = join(cacheDir, 'unpacked', basename(file, '.deb'));
  await ensureDirectory(directory, async (partial) => {
    await run('dpkg', ['-x', join(cacheDir, 'debs', file), partial]);
  });
  return directory;
}

/** What is there stays as it is; what isn't is filled under another name first. */
export async function ensureDirectory(directory: string, fill: (partial: string) => Promise<void>) {
  if (existsSync(directory)) return;
  await mkdir(dirname(directory), { recursive: true });
  await using partial = await mkdtempDisposable(`${directory}.partial-`);
  await fill(partial.path);
  await publish(partial.path, directory);
}

/** Renames a finished directory into place. Someone else was faster: theirs is as good. */
async function publish(finished: string, directory: string): Promise<void> {
  try {
    await rename(finished, directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}
