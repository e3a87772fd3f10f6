import { createReadStream, type Stats } from 'node:fs';
import { lstat, readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Header, type Pack, pack } from 'tar-stream';

/** A tar of a file or directory, called `name` in it. What is neither, nor a link, is told to `skip`. */
export function packTree(path: string, name: string, skip: (path: string) => void): Pack {
  const tar = pack();
  const whole = async () => addTree(tar, { path, name, file: await stat(path), skip });
  whole().then(
    () => tar.finalize(),
    (error: Error) => tar.destroy(error),
  );
  return tar;
}

type Tree = Readonly<{ path: string; name: string; file: Stats; skip(path: string): void }>;

async function addTree(tar: Pack, { path, name, file, skip }: Tree): Promise<void> {
  const header = { name, mode: file.mode & 0o777, mtime: file.mtime };
  if (file.isDirectory()) {
    await addEntry(tar, { ...header, type: 'directory' });
    for (const child of (await readdir(path)).sort()) {
      const inside = join(path, child);
      const file = await lstat(inside);
      await addTree(tar, { path: inside, name: `${name}/${child}`, file, skip });
    }
  } else if (file.isSymbolicLink())
    await addEntry(tar, { ...header, type: 'symlink', linkname: await readlink(path) });
  else if (file.isFile()) await addEntry(tar, { ...header, size: file.size }, path);
  else skip(path);
}

type EntryHeader = Partial<Header> & Pick<Header, 'name'>;

const addEntry = (tar: Pack, header: EntryHeader, contentOf?: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const done = (error?: Error | null) => (error ? reject(error) : resolve());
    const { size = 0 } = header;
    if (contentOf === undefined || size === 0) tar.entry(header, '', done);
    else {
      // No more than the header says, even of a file that grows.
      const content = createReadStream(contentOf, { end: size - 1 }).on('error', reject);
      content.pipe(tar.entry(header, done));
    }
  });
