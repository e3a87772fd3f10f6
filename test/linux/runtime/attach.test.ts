import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExecSession } from '../../../agent/kernel/shim.ts';
import type { ContainerSpec } from '../../../agent/ports.ts';
import { logLines, openRuntimeHost, type RuntimeHost } from '../../support/runtime-host.ts';
import { waitFor } from '../../support/wait-for.ts';

let host: RuntimeHost;
let attempt = 0;
const never = new AbortController().signal;
const mebibyte = 2 ** 20;

beforeAll(async () => {
  host = await openRuntimeHost();
  await host.sandbox();
});
afterAll(() => host.end());

async function start(script: string, over: Partial<ContainerSpec> = {}) {
  const id = { uid: 'a', name: 'web', attempt: attempt++ };
  const logPath = `${host.dir}/logs/default_pod-a_a/web/${id.attempt}.log`;
  await host.runtime.containers.start(host.spec(script, { id, logPath, ...over }), never);
  const attach = async (stdin = false) => collect(await host.runtime.containers.attach(id, stdin));
  const log = () => logLines(logPath);
  const exitCode = () =>
    waitFor('the container’s end', async () => {
      const found = await host.state('web', id.attempt);
      return found?.exit?.exitCode;
    });
  return { id, attach, log, exitCode };
}

function collect(session: ExecSession) {
  const seen = { stdout: '', stderr: '', bytes: 0 };
  const hash = createHash('md5');
  session.onOutput((stream, chunk) => {
    if (seen.bytes < mebibyte) seen[stream] += chunk.toString();
    seen.bytes += chunk.length;
    hash.update(chunk);
  });
  return { session, seen, md5: () => hash.digest('hex') };
}

describe('a container with a terminal', () => {
  const terminal = { terminal: true, stdin: 'open' } as const;

  it('has it as its controlling one, of a usual size, its user’s own; the log has its output', async () => {
    const script = 'tty; stty size; stat -c %u $(tty); echo to-tty > /dev/tty; echo $TERM >&2';
    const { log, exitCode } = await start(script, terminal);
    expect(await exitCode()).toBe(0);
    expect(log()).toEqual(['/dev/pts/0', '24 80', '0', 'to-tty', 'xterm'].map((l) => `${l}\r`));
  });

  it('is typed at, interrupted, resized, and ends for who attached with its exit code', async () => {
    const script =
      "trap 'echo stopped' INT; trap 'stty size; exit 7' WINCH; while :; do read x; echo got $x; done";
    const { attach } = await start(script, terminal);
    const { session, seen } = await attach(true);
    session.write(Buffer.from('hello\n'));
    await expect.poll(() => seen.stdout).toBe('hello\r\ngot hello\r\n');
    session.write(Buffer.from([3]));
    await expect.poll(() => seen.stdout).toContain('stopped');
    session.resize(132, 43);
    expect(await session.exited).toMatchObject({ exitCode: 7 });
    expect(seen.stdout).toContain('43 132');
    expect(seen.stderr).toBe('');
  });

  it('goes on when its client goes, and ends with it if its input is open once', async () => {
    const visit = async ({ attach }: Awaited<ReturnType<typeof start>>) => {
      const { session, seen } = await attach(true);
      session.write(Buffer.from('here\n'));
      await expect.poll(() => seen.stdout).toContain('here');
      session.close();
    };
    const staying = await start('cat', terminal);
    await visit(staying);
    await visit(staying);
    const ending = await start('cat', { terminal: true, stdin: 'once' });
    await visit(ending);
    expect(await ending.exitCode()).toBe(0);
  });
});

describe('standard input of a container', () => {
  it('is /dev/null unless asked for', async () => {
    const { log, exitCode } = await start('readlink /proc/self/fd/0; cat');
    expect(await exitCode()).toBe(0);
    expect(log()).toEqual(['/dev/null']);
  });

  it('is what a client writes, all of it, until the first one has gone', async () => {
    const { attach, log } = await start('md5sum; echo done', { stdin: 'once' });
    const { session } = await attach(true);
    const input = Buffer.alloc(5 * mebibyte, 'abc');
    session.write(input);
    session.endInput();
    expect(await session.exited).toMatchObject({ exitCode: 0 });
    expect(log()).toEqual([`${createHash('md5').update(input).digest('hex')}  -`, 'done']);
  });

  it('ends when its first client hangs up', async () => {
    const { attach, exitCode } = await start('cat; exit 4', { stdin: 'once' });
    const { session, seen } = await attach(true);
    session.write(Buffer.from('x'));
    await expect.poll(() => seen.stdout).toBe('x');
    session.close();
    expect(await exitCode()).toBe(4);
  });

  it('stays open when clients that only read go', async () => {
    const { attach, exitCode } = await start('read x; exit $x', { stdin: 'once' });
    (await attach(false)).session.close();
    (await attach(true)).session.write(Buffer.from('9\n'));
    expect(await exitCode()).toBe(9);
  });

  it('keeps what several clients write apart, line by line', async () => {
    const { attach, log, exitCode } = await start('head -n 2000 | sort | uniq -c', {
      stdin: 'open',
    });
    const clients = await Promise.all([attach(true), attach(true)]);
    for (let i = 0; i < 1000; i++)
      for (const [n, { session }] of clients.entries()) session.write(Buffer.from(`from ${n}\n`));
    expect(await exitCode()).toBe(0);
    expect(log().map((line) => line.trim())).toEqual(['1000 from 0', '1000 from 1']);
  });
});

describe('an attached client', () => {
  it('gets both streams from now on, as every other does, and the end', async () => {
    const { attach, log } = await start('echo before; read x; echo out; echo err >&2; exit 3', {
      stdin: 'open',
    });
    await expect.poll(log).toEqual(['before']);
    const [reader, writer] = await Promise.all([attach(), attach(true)]);
    writer.session.write(Buffer.from('go\n'));
    for (const { session, seen } of [reader, writer]) {
      expect(await session.exited).toMatchObject({ exitCode: 3, signal: undefined });
      expect(seen).toMatchObject({ stdout: 'out\n', stderr: 'err\n' });
    }
    expect(log().toSorted()).toEqual(['before', 'err', 'out']);
  });

  it('misses nothing, though it stops for a moment now and then', async () => {
    const { attach } = await start(`read x; yes ${'long'.repeat(100)} | head -n 40000`, {
      stdin: 'open',
    });
    const { session, seen, md5 } = await attach(true);
    session.write(Buffer.from('go\n'));
    let stops = 0;
    session.onOutput(() => {
      if (seen.bytes < (stops + 1) * 3 * mebibyte) return;
      stops++;
      session.pause();
      setTimeout(() => session.resume(), 100);
    });
    await session.exited;
    const expected = createHash('md5');
    expected.update(`${'long'.repeat(100)}\n`.repeat(40_000));
    expect([stops, md5()]).toEqual([5, expected.digest('hex')]);
  });

  it('is dropped with a reason when it doesn’t read: the container and its other clients go on', async () => {
    const { attach, log } = await start('read x; seq 1 300000; echo end; read x', {
      stdin: 'open',
    });
    const [slow, quick] = [await attach(), await attach(true)];
    slow.session.pause();
    quick.session.write(Buffer.from('go\n'));
    await waitFor('the end of the output', () => quick.seen.bytes === 1_988_899, 10_000);
    expect(log().slice(-1)).toEqual(['end']);
    expect(shimMemoryKb()).toBeLessThan(4_000);
    slow.session.resume();
    await expect(slow.session.exited).rejects.toThrow(
      'container web is detached: its output was not read in time',
    );
    quick.session.write(Buffer.from('bye\n'));
    expect(await quick.session.exited).toMatchObject({ exitCode: 0 });
  });

  it('is followed by the next one when the agent ends in between', async () => {
    const { id, attach } = await start('while read x; do echo $x; done', { stdin: 'open' });
    const before = await attach(true);
    before.session.close();
    await host.restart();
    const { session, seen } = collect(await host.runtime.containers.attach(id, true));
    session.write(Buffer.from('again\n'));
    await expect.poll(() => seen.stdout).toBe('again\n');
    session.close();
    await host.runtime.containers.kill(id, 9);
  });

  it('leaves no descriptor behind', async () => {
    const { id, attach } = await start('cat', { terminal: true, stdin: 'open' });
    const once = async () => (await attach(true)).session.close();
    await once();
    const before = descriptors();
    for (let i = 0; i < 50; i++) await Promise.all([once(), once()]);
    await expect.poll(descriptors).toBeLessThanOrEqual(before);
    await host.runtime.containers.kill(id, 9);
  });
});

const descriptors = () => readdirSync(`/proc/${host.shimPid('a')}/fd`).length;

function shimMemoryKb(): number {
  const status = readFileSync(`/proc/${host.shimPid('a')}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
}
