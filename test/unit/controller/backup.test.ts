import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatBackup, readBackup } from '../../../controller/backup.ts';
import { leaderKey } from '../../../controller/store/keys.ts';

const keys = { caKey: 'a\nb', ca: 'c\n', storeKey: 'AAAA' };
const entry = (key: string, revision: number, ...value: number[]) => ({
  ...{ key, revision, value: Buffer.from(value) },
});
const kept = [entry('/orc/core/pods/a/b', 3, 0, 10, 255), entry('/orc/x', 5)];
const left = [entry(leaderKey, 4, 1), entry('/orc/tokens/1', 4, 1)];
const whole = Buffer.from(
  [...formatBackup({ keys, revision: 9, entries: [...left, ...kept] })].join(''),
);

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'orc-backup-'));
});
afterAll(() => rm(directory, { recursive: true }));

async function read(bytes: Uint8Array) {
  const path = join(directory, 'file');
  await writeFile(path, bytes);
  return readBackup(path);
}

const changedAt = (place: number) => {
  const changed = Buffer.from(whole);
  changed[place] = (changed[place] ?? 0) ^ 1;
  return changed;
};

describe('a backup', () => {
  it('gives back what was put in, without leadership and tokens', async () => {
    expect(await read(whole)).toEqual({ keys, revision: 9, entries: kept });
  });

  it.each<[string, Uint8Array, string]>([
    ['an empty file', Buffer.from(''), 'Foreign'],
    ['a manifest', Buffer.from('apiVersion: v1\n'), 'Foreign'],
    ['one cut off in its first line', whole.subarray(0, 40), 'CutOff'],
    ['one cut off in the middle', whole.subarray(0, -100), 'CutOff'],
    ['one without its last byte', whole.subarray(0, -1), 'CutOff'],
    ['one with more behind it', Buffer.concat([whole, Buffer.from('x')]), 'CutOff'],
    ['one changed in its header', changedAt(60), 'Damaged'],
    ['one changed in an entry', changedAt(whole.length - 90), 'Damaged'],
    ['one changed in its checksum', changedAt(whole.length - 5), 'Damaged'],
    [
      'a later format',
      Buffer.from(whole.toString().replace('"format":1', '"format":2')),
      'OtherFormat',
    ],
  ])('refuses %s', async (_, bytes, reason) => {
    const message = expect.stringContaining(join(directory, 'file'));
    await expect(read(bytes)).rejects.toMatchObject({ name: 'BackupError', reason, message });
  });

  it('is refused wherever it is cut', async () => {
    for (let length = 0; length < whole.length; length++)
      await expect(read(whole.subarray(0, length)), `${length}`).rejects.toMatchObject({
        name: 'BackupError',
      });
  });
});
