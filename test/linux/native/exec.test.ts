import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExecSession } from '../../../agent/kernel/shim.ts';
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

let pod: NativePod;

beforeAll(async () => {
  pod = await startPod();
  await createSandbox(pod);
  await pod.shim.run(overlayRoot(pod));
  await startContainer(pod, { container: 'main', argv: ['sleep', '100000'] });
});

afterAll(() => pod.end());

interface Seen {
  stdout: string;
  stderr: string;
}

function collect(session: ExecSession): Seen {
  const seen = { stdout: '', stderr: '' };
  session.onOutput((stream, chunk) => {
    seen[stream] += chunk.toString();
  });
  return seen;
}

const shell = (script: string) => ['sh', '-c', script];

describe('exec without a terminal', () => {
  it('runs beside the first process, with its three streams and its exit code', async () => {
    const argv = shell('cat; echo end >&2; cat /proc/1/cmdline | tr "\\0" " "; hostname; exit 42');
    const session = await execIn(pod, 'main', { argv, stdin: true });
    const seen = collect(session);
    session.write(Buffer.from('one\n'));
    session.write(Buffer.from('two\n'));
    session.endInput();
    expect(await session.exited).toMatchObject({ exitCode: 42, signal: undefined });
    expect(seen).toEqual({ stdout: 'one\ntwo\nsleep 100000 native-pod\n', stderr: 'end\n' });
  });

  it('gives /dev/null where no input was asked for', async () => {
    const session = await execIn(pod, 'main', { argv: shell('cat; readlink /proc/self/fd/0') });
    const seen = collect(session);
    expect(await session.exited).toMatchObject({ exitCode: 0 });
    expect(seen.stdout).toBe('/dev/null\n');
  });

  it('passes a megabyte of input through unharmed', async () => {
    const session = await execIn(pod, 'main', { argv: ['md5sum'], stdin: true });
    const seen = collect(session);
    session.write(Buffer.alloc(1_000_000, 'abc'));
    session.endInput();
    await session.exited;
    const { createHash } = await import('node:crypto');
    const sum = createHash('md5').update(Buffer.alloc(1_000_000, 'abc')).digest('hex');
    expect(seen.stdout).toBe(`${sum}  -\n`);
  });

  it('tells the exit code to who has yet to send input', async () => {
    const session = await execIn(pod, 'main', { argv: ['false'], stdin: true });
    // An agent that is busy meanwhile.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    session.write(Buffer.alloc(100_000));
    session.endInput();
    expect(await session.exited).toMatchObject({ exitCode: 1 });
  });

  it('tells the signal of a process that was killed', async () => {
    const session = await execIn(pod, 'main', { argv: shell('kill -15 $$') });
    expect(await session.exited).toMatchObject({ exitCode: 143, signal: 15 });
  });

  it('delivers all output of a process that has ended, however late it is read', async () => {
    const session = await execIn(pod, 'main', {
      argv: shell('yes | head -c 300000; exit 3'),
    });
    let bytes = 0;
    session.pause();
    session.onOutput((_, chunk) => {
      bytes += chunk.length;
    });
    await expect.poll(processNames).not.toContain('head');
    session.resume();
    expect(await session.exited).toMatchObject({ exitCode: 3 });
    expect(bytes).toBe(300_000);
  });

  it('does not wait for a background process that keeps the output open', async () => {
    const session = await execIn(pod, 'main', { argv: shell('sleep 1000 & echo begun') });
    const seen = collect(session);
    expect(await session.exited).toMatchObject({ exitCode: 0 });
    expect(seen.stdout).toBe('begun\n');
  });

  it('holds back a process whose output nobody reads, while others are served', async () => {
    const flood = await execIn(pod, 'main', { argv: ['yes'] });
    let bytes = 0;
    flood.onOutput((_, chunk) => {
      bytes += chunk.length;
      if (bytes > 1_000_000) flood.pause();
    });
    await expect.poll(() => bytes).toBeGreaterThan(1_000_000);
    await expect.poll(() => stateOf('yes')).toBe('S');
    const before = shimMemoryKb(pod);
    const other = await execIn(pod, 'main', { argv: ['echo', 'served'] });
    const seen = collect(other);
    await other.exited;
    expect(seen.stdout).toBe('served\n');
    expect(shimMemoryKb(pod) - before).toBeLessThan(1_000);
    flood.close();
    await expect.poll(processNames).not.toContain('yes');
  });

  it('kills the process and what it has started, when its client hangs up', async () => {
    const session = await execIn(pod, 'main', { argv: shell('sleep 54321 & sleep 54321; echo') });
    await expect
      .poll(async () => (await processNames()).filter((n) => n === 'sleep').length)
      .toBeGreaterThan(1);
    session.close();
    await expect.poll(() => commandLines()).not.toContain('sleep 54321');
  });

  it('fails with the operation that failed', async () => {
    const session = await execIn(pod, 'main', { argv: ['no-such-program'] });
    await expect(session.exited).rejects.toThrow(/exec no-such-program: execve: ENOENT/);
    const lost = await execIn(pod, 'absent', { argv: ['true'] });
    await expect(lost.exited).rejects.toThrow(/enter container absent: find container: ESRCH/);
  });

  it('refuses a container that has ended', async () => {
    await runContainer(pod, { container: 'over', argv: ['true'] });
    const session = await execIn(pod, 'over', { argv: ['true'] });
    await expect(session.exited).rejects.toThrow(/find container: ESRCH/);
  });

  it('serves many at once', async () => {
    const sessions = await Promise.all(
      Array.from({ length: 40 }, (_, i) => execIn(pod, 'main', { argv: shell(`exit ${i}`) })),
    );
    const exits = await Promise.all(sessions.map((session) => session.exited));
    expect(exits.map((exit) => exit.exitCode)).toEqual(sessions.map((_, i) => i));
  });
});

describe('exec with a terminal', () => {
  const terminal = { columns: 81, rows: 25 };

  it('has a controlling terminal of the asked size, owned by its user', async () => {
    const argv = shell('tty; stty size; stat -c %u $(tty); echo to-tty > /dev/tty');
    const session = await execIn(pod, 'main', { argv, terminal, uid: 1000 });
    const seen = collect(session);
    expect(await session.exited).toMatchObject({ exitCode: 0 });
    expect(seen.stdout).toBe('/dev/pts/0\r\n25 81\r\n1000\r\nto-tty\r\n');
  });

  it('follows a change of size with SIGWINCH', async () => {
    const argv = shell("trap 'stty size; exit 9' WINCH; echo up; while :; do sleep 0.01; done");
    const session = await execIn(pod, 'main', { argv, terminal });
    const seen = collect(session);
    await expect.poll(() => seen.stdout).toBe('up\r\n');
    session.resize(132, 43);
    expect(await session.exited).toMatchObject({ exitCode: 9 });
    expect(seen.stdout).toBe('up\r\n43 132\r\n');
  });

  it('passes keys on: an interrupt, and the end of input', async () => {
    const interrupted = await execIn(pod, 'main', { argv: ['cat'], stdin: true, terminal });
    const echo = collect(interrupted);
    interrupted.write(Buffer.from('typed\n'));
    await expect.poll(() => echo.stdout).toBe('typed\r\ntyped\r\n');
    interrupted.write(Buffer.from([3]));
    expect(await interrupted.exited).toMatchObject({ exitCode: 130, signal: 2 });
    const ended = await execIn(pod, 'main', { argv: ['cat'], stdin: true, terminal });
    ended.endInput();
    expect(await ended.exited).toMatchObject({ exitCode: 0 });
  });

  it('hangs up on its session', async () => {
    const session = await execIn(pod, 'main', { argv: shell('sleep 6543; echo'), terminal });
    await expect.poll(() => commandLines()).toContain('sleep 6543');
    session.close();
    await expect.poll(() => commandLines()).not.toContain('sleep 6543');
  });

  it('leaves no descriptor behind', async () => {
    const once = async () => (await execIn(pod, 'main', { argv: ['true'], terminal })).exited;
    const failing = async () => {
      const session = await execIn(pod, 'main', { argv: ['absent'], terminal });
      await expect(session.exited).rejects.toThrow('ENOENT');
    };
    await once();
    const before = await descriptors();
    for (let i = 0; i < 50; i++) await Promise.all([once(), failing()]);
    await expect.poll(descriptors).toBeLessThanOrEqual(before);
  });
});

it('keeps the output of containers apart from that of exec', async () => {
  await startContainer(pod, { container: 'logged', argv: shell('echo mine; sleep 1000') });
  const session = await execIn(pod, 'logged', { argv: ['echo', 'not mine'] });
  await session.exited;
  await expect.poll(() => messages(logPath(pod, 'logged'), 'stdout')).toEqual(['mine']);
});

async function descriptors(): Promise<number> {
  const { readdir } = await import('node:fs/promises');
  return (await readdir(`/proc/${pod.shim.pid}/fd`)).length;
}

async function commandLines(): Promise<readonly string[]> {
  const session = await execIn(pod, 'main', {
    argv: shell('for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline 2>/dev/null; echo; done'),
  });
  const seen = collect(session);
  await session.exited;
  return seen.stdout.split('\n').map((line) => line.trim());
}

async function processNames(): Promise<readonly string[]> {
  return (await commandLines()).map((line) => line.split(' ')[0]!);
}

async function stateOf(name: string): Promise<string | undefined> {
  const session = await execIn(pod, 'main', {
    argv: shell('cat /proc/[0-9]*/stat 2>/dev/null'),
  });
  const seen = collect(session);
  await session.exited;
  return new RegExp(`\\(${name}\\) (\\w)`).exec(seen.stdout)?.[1];
}

function shimMemoryKb({ shim }: NativePod): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${shim.pid}/status`, 'utf8'))?.[1]);
}
