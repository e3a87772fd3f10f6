import { mkdir, readFile, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '../test/support/run-program.ts';

/** A place whose file system is made anew for each measurement: removing large trees makes the next writes slow. */
export interface FreshDisk {
  readonly path: string;
  renew(): Promise<void>;
  /** Resolves when everything on it is on disk. */
  sync(): Promise<void>;
  /** How much is on it. */
  megabytes(): Promise<number>;
  release(): Promise<void>;
}

/**
 * ext4 in a file that has been written once, so that no round pays for finding blocks, past the page cache, so that nothing
 * is held twice. The caller is in a mount namespace of its own: with that one the loop device goes too.
 */
export async function openFreshDisk(dir: string): Promise<FreshDisk> {
  const file = join(dir, 'disk.img');
  const path = join(dir, 'disk');
  await mkdir(path, { recursive: true });
  await command('dd', 'if=/dev/zero', `of=${file}`, 'bs=1M', `count=${diskMegabytes}`);
  let isMounted = false;
  const unmount = async (...how: readonly string[]) => {
    if (isMounted) await command('umount', ...how, path);
    isMounted = false;
  };
  return {
    path,
    async renew() {
      await unmount();
      const options = 'nodiscard,lazy_itable_init=0,lazy_journal_init=0';
      await command('mkfs.ext4', '-q', '-F', '-E', options, file);
      const loop = await command('losetup', '--direct-io=on', '--find', '--show', file);
      try {
        await command('mount', loop, path);
        isMounted = true;
      } finally {
        // As soon as it isn't used any more.
        await command('losetup', '--detach', loop);
      }
    },
    sync: async () => void (await command('sync', '--file-system', path)),
    async megabytes() {
      const { blocks, bfree, bsize } = await statfs(path);
      return ((blocks - bfree) * bsize) / 1e6;
    },
    /** Also from under a peer that still runs, when it is all interrupted. */
    async release() {
      await unmount('--lazy');
      await rm(file);
    },
  };
}

const diskMegabytes = 4096;

/**
 * A virtual machine's free memory may have to be fetched from its host first, five times as slowly as memory that was just
 * used: so this much is used and given back before each measurement.
 */
export async function warmMemory(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  await command('mount', '-t', 'tmpfs', '-o', 'size=90%', 'tmpfs', dir);
  await command(
    'dd',
    'if=/dev/zero',
    `of=${join(dir, 'zeros')}`,
    'bs=1M',
    `count=${warmMegabytes}`,
  );
  await command('umount', dir);
}

const warmMegabytes = 3072;

/** Until next to nothing is written for a moment: what a measurement before this one left behind. */
export async function quietDisks(deadlineMs = 20_000): Promise<void> {
  await command('sync');
  const until = performance.now() + deadlineMs;
  for (let last = -Infinity; performance.now() < until; ) {
    const now = await sectorsWritten();
    if (now - last < quietSectors) return;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

const quietSectors = 1000;

async function sectorsWritten(): Promise<number> {
  const lines = (await readFile('/proc/diskstats', 'utf8')).trim().split('\n');
  return lines.reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[9]), 0);
}

async function command(program: string, ...args: readonly string[]): Promise<string> {
  const { code, out, err } = await runProgram(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${err}`);
  return out.trim();
}
