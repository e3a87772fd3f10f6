import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const script = new URL('../../../support/fill-sqlite.ts', import.meta.url).pathname;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'orc-full-'));
});
afterEach(() => rm(directory, { recursive: true }));

describe('the SQLite store on a full disk', () => {
  it('refuses the write as DiskFull and loses nothing that it acknowledged', async () => {
    const own = ['--mount', '--propagation', 'private'];
    const { stdout } = await run('unshare', [...own, process.execPath, script, directory]);
    const { reason, acknowledged, before, after } = JSON.parse(stdout);
    expect(reason).toBe('DiskFull');
    expect(acknowledged.length).toBeGreaterThan(10);
    expect(before, 'it still answers').toEqual(acknowledged);
    expect(after, 'opened again').toEqual(acknowledged);
  });
});
