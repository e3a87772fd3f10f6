import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readImageFile } from '../../../../agent/runtime/image-files.ts';

let dir: string;
let layers: readonly string[];
beforeEach(() => {
  dir = mkdtempSync(`${tmpdir()}/orc-image-files-`);
  layers = ['base', 'top'].map((name) => `${dir}/${name}`);
  for (const layer of layers) mkdirSync(`${layer}/etc`, { recursive: true });
  writeFileSync(`${dir}/passwd`, 'the host’s');
  writeFileSync(`${dir}/base/etc/passwd`, 'base');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const read = async () => readImageFile(layers, '/etc/passwd');
const refused = (message: RegExp) =>
  expect(read()).rejects.toMatchObject({
    reason: 'CreateContainerConfigError',
    message: expect.stringMatching(message),
  });

it('reads from the highest layer that has the file', async () => {
  expect(await read()).toBe('base');
  writeFileSync(`${dir}/top/etc/passwd`, 'top');
  expect(await read()).toBe('top');
});

it('gives nothing where there is none', async () => {
  expect(readImageFile(layers, '/etc/group')).toBe('');
  expect(readImageFile([], '/etc/group')).toBe('');
});

it('sees no more than the image does behind a whiteout, or a file in a directory’s place', async () => {
  execFileSync('mknod', [`${dir}/top/etc/passwd`, 'c', '0', '0']);
  expect(await read()).toBe('');
  rmSync(`${dir}/top/etc`, { recursive: true });
  writeFileSync(`${dir}/top/etc`, '');
  expect(await read()).toBe('');
});

it('follows links inside the image, across layers', async () => {
  mkdirSync(`${dir}/base/nix`);
  writeFileSync(`${dir}/base/nix/passwd`, 'linked');
  symlinkSync('/nix/../nix/passwd', `${dir}/top/etc/passwd`);
  expect(await read()).toBe('linked');
});

it('is not led out of the image by links', async () => {
  symlinkSync(`${dir}/passwd`, `${dir}/top/etc/passwd`);
  expect(await read()).toBe('');
  rmSync(`${dir}/top/etc/passwd`);
  symlinkSync('../../../../passwd', `${dir}/top/etc/passwd`);
  expect(await read()).toBe('');
  rmSync(`${dir}/top/etc`, { recursive: true });
  symlinkSync(dir, `${dir}/top/etc`);
  expect(await read()).toBe('');
});

it('refuses links in a circle', async () => {
  symlinkSync('passwd', `${dir}/top/etc/passwd`);
  await refused(/too many symbolic links/);
});

it('refuses what is no ordinary file, without waiting for it', async () => {
  execFileSync('mknod', [`${dir}/top/etc/passwd`, 'p']);
  await refused(/not a regular file/);
});

it('refuses a file that is far too large', async () => {
  writeFileSync(`${dir}/top/etc/passwd`, '');
  truncateSync(`${dir}/top/etc/passwd`, 2 ** 30);
  await refused(/larger than/);
});
