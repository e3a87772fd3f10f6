import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { VolumeFile, VolumePort } from '../../../agent/ports.ts';
import { openVolumes } from '../../../agent/volumes/volumes.ts';
import { volumePortContract } from '../../contract/volume-port.contract.ts';

let dir: string;
let volumes: VolumePort;
beforeEach(() => {
  dir = mkdtempSync(`${tmpdir()}/orc-volumes-`);
  volumes = openVolumes({ volumesDir: `${dir}/volumes` });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('volumes on disk', () =>
  volumePortContract(async () => ({
    volumes: openVolumes({ volumesDir: `${dir}/contract` }),
    close: async () => {},
  })));

const owner = { uid: 1_000_000, gid: 1_000_033 };
const path = (name: string) => `${dir}/volumes/a/${name}`;
const file = (name: string, text: string, mode = 0o644): VolumeFile => ({
  path: name,
  bytes: Buffer.from(text),
  mode,
});
const ensureFiles = (...files: VolumeFile[]) =>
  volumes.ensure('a', { name: 'config', owner, kind: 'files', files });
const see = (name: string) => {
  const { uid, gid, mode } = statSync(path(name));
  return { uid, gid, mode: mode & 0o7777 };
};

it('an empty directory that a crash left half made gets its owner', async () => {
  mkdirSync(path('..scratch'), { recursive: true });
  const limits = { kind: 'empty-dir', medium: 'disk', sizeLimitBytes: undefined } as const;
  await volumes.ensure('a', { name: 'scratch', owner, ...limits });
  expect(see('scratch')).toEqual({ ...owner, mode: 0o2777 });
  expect(readdirSync(path('.'))).toEqual(['scratch']);
});

describe('files', () => {
  it('have content, mode and the pod’s owner, also in directories', async () => {
    await ensureFiles(file('key', 'one'), file('sub/dir/secret', 'two', 0o400));
    expect(readFileSync(path('config/key'), 'utf8')).toBe('one');
    expect(readFileSync(path('config/sub/dir/secret'), 'utf8')).toBe('two');
    expect(see('config/key')).toEqual({ ...owner, mode: 0o644 });
    expect(see('config/sub/dir/secret')).toEqual({ ...owner, mode: 0o400 });
    expect(see('config/sub')).toEqual({ ...owner, mode: 0o755 });
  });

  it('change all at once; who has the old directory open keeps it', async () => {
    await ensureFiles(file('a', 'a1'), file('gone', 'x'));
    const old = await open(path('config/..data/a'));
    await ensureFiles(file('a', 'a2'), file('b', 'b2'));
    expect(readFileSync(path('config/a'), 'utf8')).toBe('a2');
    expect(await old.readFile('utf8')).toBe('a1');
    await old.close();
    expect(readdirSync(path('config')).filter((name) => !name.startsWith('..'))).toEqual([
      'a',
      'b',
    ]);
    expect(readdirSync(path('config')).filter((name) => name.startsWith('..'))).toHaveLength(2);
  });

  it('are left alone when nothing has changed', async () => {
    await ensureFiles(file('a', 'same'));
    const before = statSync(path('config/a')).ino;
    await ensureFiles(file('a', 'same'));
    expect(statSync(path('config/a')).ino).toBe(before);
  });

  it('get a new mode', async () => {
    await ensureFiles(file('a', 'same', 0o644));
    await ensureFiles(file('a', 'same', 0o600));
    expect(see('config/a').mode).toBe(0o600);
  });

  it.each(['../x', 'a/../../x', '/etc/x', '..data', 'a//b', ''])(
    'refuse the path "%s"',
    async (name) => {
      await expect(ensureFiles(file(name, 'x'))).rejects.toMatchObject({ reason: 'FailedMount' });
    },
  );
});

describe('an empty directory', () => {
  const scratch = {
    name: 'scratch',
    kind: 'empty-dir',
    medium: 'disk',
    sizeLimitBytes: undefined,
  } as const;

  it('is everybody’s, with the pod’s group handed on', async () => {
    await volumes.ensure('a', { ...scratch, owner });
    expect(see('scratch')).toEqual({ ...owner, mode: 0o2777 });
    await volumes.ensure('a', { ...scratch, name: 'plain', owner: { uid: 5, gid: 5 } });
    expect(see('plain')).toEqual({ uid: 5, gid: 5, mode: 0o777 });
  });

  it('keeps what is in it', async () => {
    await volumes.ensure('a', { ...scratch, owner });
    writeFileSync(path('scratch/kept'), '1');
    await volumes.ensure('a', { ...scratch, owner });
    expect(readFileSync(path('scratch/kept'), 'utf8')).toBe('1');
  });

  it('is removed without what its links lead to', async () => {
    writeFileSync(`${dir}/precious`, '1');
    await volumes.ensure('a', { ...scratch, owner });
    symlinkSync(dir, path('scratch/up'));
    symlinkSync(`${dir}/precious`, path('scratch/link'));
    await volumes.remove('a');
    expect(existsSync(path(''))).toBe(false);
    expect(existsSync(`${dir}/precious`)).toBe(true);
  });

  it('is out of other users’ reach', async () => {
    await volumes.ensure('a', { ...scratch, owner });
    expect(statSync(`${dir}/volumes`).mode & 0o777).toBe(0o700);
  });
});
