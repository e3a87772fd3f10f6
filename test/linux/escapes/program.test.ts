import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectShim } from '../../../agent/kernel/shim-client.ts';
import { nativeBinary } from '../../../native/binary.ts';
import {
  createSandbox,
  execIn,
  logPath,
  messages,
  type NativePod,
  overlayRoot,
  runContainer,
  startContainer,
  startPod,
} from '../../support/native-pod.ts';
import { waitFor } from '../../support/wait-for.ts';

let pod: NativePod;
beforeEach(async () => {
  pod = await startPod();
  await createSandbox(pod);
});
afterEach(() => pod?.end());

const digest = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** As root outside, which is more than any container may: keeps the running program open, and writes when it has ended. */
async function overwrite(exe: string, end: () => Promise<void>): Promise<string> {
  const fd = openSync(exe, 'r');
  try {
    await end();
    const writer = openSync(`/proc/self/fd/${fd}`, 'r+');
    writeSync(writer, 'overwritten');
    closeSync(writer);
    return 'written';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? '';
  } finally {
    closeSync(fd);
  }
}

/** Gone, or waiting to be reaped. */
function hasEnded(pid: number): boolean {
  try {
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return true;
    throw error;
  }
}

describe('the program of the shim (1)', () => {
  it('can’t be changed by whoever gets hold of it, and is not the file on disk', async () => {
    const before = digest(nativeBinary);
    const exe = `/proc/${pod.shim.pid}/exe`;
    expect(readlinkSync(exe)).toMatch(/^\/memfd:/);
    const end = async () => {
      await pod.shim.shutdown();
      // As long as it runs nobody writes to it anyway.
      await waitFor('its end', () => hasEnded(pod.shim.pid));
    };
    expect(await overwrite(exe, end)).toBe('EPERM');
    expect(digest(nativeBinary)).toBe(before);
  });

  it('(started from the disk, without the sealed copy, it can)', async () => {
    const copy = `${pod.dir}/orc-native`;
    const runDir = `${pod.dir}/second`;
    copyFileSync(nativeBinary, copy);
    mkdirSync(runDir);
    const ready = 'pipe';
    const child = spawn(copy, ['orc-shim', runDir], {
      stdio: ['ignore', 'ignore', 'ignore', ready],
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    try {
      await new Promise((resolve) => child.stdio[3]!.once('data', resolve));
      const shim = (await connectShim(runDir))!;
      const end = async () => {
        await shim.shutdown();
        await ended;
      };
      expect(await overwrite(`/proc/${child.pid}/exe`, end)).toBe('written');
      expect(digest(copy)).not.toBe(digest(nativeBinary));
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
  });

  it('is run by an image that names it as its own interpreter, and does nothing there', async () => {
    const before = digest(nativeBinary);
    writeFileSync(`${pod.layer}/bin/entry`, '#!/proc/self/exe\n');
    chmodSync(`${pod.layer}/bin/entry`, 0o755);
    await pod.shim.run(overlayRoot(pod));
    const env = { op: 'exec', argv: ['/bin/entry'], env: ['LD_PRELOAD=/evil.so'] } as const;
    const ended = await runContainer(pod, { container: 'c', argv: [], last: [env] });
    expect(ended.exit?.exitCode).toBe(64);
    expect(messages(logPath(pod, 'c'), 'stderr')).toEqual(['orc-native: no such program']);
    await startContainer(pod, { container: 'main', argv: ['sleep', '1000'] });
    const session = await execIn(pod, 'main', { argv: ['/bin/entry'] });
    expect(await session.exited).toMatchObject({ exitCode: 64 });
    expect(digest(nativeBinary)).toBe(before);
  });
});
