import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Container, ContainerPort, ContainerSpec, SandboxPort } from '../../agent/ports.ts';
import { sandboxSpec } from './sandbox-port.contract.ts';

export interface ContainerSubject {
  readonly sandboxes: SandboxPort;
  readonly containers: ContainerPort;
  /** For pod `a`, container `web`. `exit-3` ends with 3, `missing` is no program, `cat` ends with its input. */
  spec(program: 'run' | 'exit-3' | 'missing' | 'cat', attempt: number): ContainerSpec;
  lose(uid: string): Promise<void>;
  close(): Promise<void>;
}

const never = new AbortController().signal;
const id = (attempt: number) => ({ uid: 'a', name: 'web', attempt });

/** What every ContainerPort does. `open` is called for each test. */
export function containerPortContract(open: () => Promise<ContainerSubject>): void {
  let subject: ContainerSubject;
  let changes: string[];
  beforeEach(async () => {
    subject = await open();
    changes = [];
    await subject.sandboxes.ensure(sandboxSpec('a'), never);
    subject.containers.onChange((uid) => changes.push(uid));
  });
  afterEach(() => subject.close());

  const states = async () =>
    (await subject.containers.list('a')).map(({ id, state }: Container) => [id.attempt, state]);
  const until = (expected: unknown) =>
    vi.waitFor(async () => expect(await states()).toEqual(expected), { timeout: 10_000 });

  it('starts a container once, however often it is asked', async () => {
    await subject.containers.start(subject.spec('run', 0), never);
    await subject.containers.start(subject.spec('run', 0), never);
    expect(await subject.containers.list('a')).toEqual([
      {
        id: id(0),
        state: 'running',
        pid: expect.any(Number),
        startedAtMs: expect.any(Number),
        exit: undefined,
      },
    ]);
  });

  it('reports an exit with its code, and says that something changed', async () => {
    await subject.containers.start(subject.spec('exit-3', 0), never);
    await until([[0, 'exited']]);
    expect((await subject.containers.list('a'))[0]?.exit).toEqual({
      exitCode: 3,
      signal: undefined,
      finishedAtMs: expect.any(Number),
      oomKilled: false,
    });
    expect(changes).toContain('a');
  });

  it('kills, and reports the signal', async () => {
    await subject.containers.start(subject.spec('run', 0), never);
    await subject.containers.kill(id(0), 9);
    await until([[0, 'exited']]);
    expect((await subject.containers.list('a'))[0]?.exit).toMatchObject({
      exitCode: 137,
      signal: 9,
    });
  });

  it('kills what is unknown or has ended without a word', async () => {
    await subject.containers.start(subject.spec('exit-3', 0), never);
    await until([[0, 'exited']]);
    await subject.containers.kill(id(0), 9);
    await subject.containers.kill(id(7), 9);
    expect((await subject.containers.list('a'))[0]?.exit?.exitCode).toBe(3);
  });

  it('keeps every attempt until it is removed', async () => {
    await subject.containers.start(subject.spec('exit-3', 0), never);
    await until([[0, 'exited']]);
    await subject.containers.start(subject.spec('run', 1), never);
    await until([
      [0, 'exited'],
      [1, 'running'],
    ]);
    await subject.containers.remove(id(0));
    await subject.containers.remove(id(0));
    expect(await states()).toEqual([[1, 'running']]);
  });

  it('does not remove what runs', async () => {
    await subject.containers.start(subject.spec('run', 0), never);
    await expect(subject.containers.remove(id(0))).rejects.toThrow(/running/);
    expect(await states()).toEqual([[0, 'running']]);
  });

  it('says why a command can’t be executed, and leaves nothing', async () => {
    const start = subject.containers.start(subject.spec('missing', 0), never);
    await expect(start).rejects.toMatchObject({
      reason: 'StartError',
      message: 'exec: "missing": executable file not found in $PATH',
    });
    expect(await states()).toEqual([]);
  });

  it('starts nothing without a sandbox, and nothing for a caller that has given up', async () => {
    const spec = subject.spec('run', 0);
    const elsewhere = { ...spec, id: { ...spec.id, uid: 'nowhere' } };
    await expect(subject.containers.start(elsewhere, never)).rejects.toMatchObject({
      reason: 'RunContainerError',
    });
    await expect(subject.containers.start(spec, AbortSignal.abort())).rejects.toThrow();
    expect(await states()).toEqual([]);
  });

  it('shares the processes of another container, and ends with them', async () => {
    const besides = id(0);
    const late = { ...subject.spec('run', 1), besides };
    await expect(subject.containers.start(late, never)).rejects.toThrow();
    await subject.containers.start(subject.spec('run', 0), never);
    await subject.containers.start(late, never);
    expect(await states()).toEqual([
      [0, 'running'],
      [1, 'running'],
    ]);
    await subject.containers.kill(id(0), 9);
    await until([
      [0, 'exited'],
      [1, 'exited'],
    ]);
  });

  it('runs a command beside the container, and only while it runs', async () => {
    await subject.containers.start(subject.spec('run', 0), never);
    const request = { command: ['echo', 'hello'], stdin: false, terminal: undefined };
    const session = await subject.containers.exec(id(0), request);
    const output: string[] = [];
    session.onOutput((_stream, chunk) => output.push(chunk.toString()));
    expect(await session.exited).toMatchObject({ exitCode: 0, signal: undefined });
    expect(output.join('')).toContain('hello');
    await subject.containers.kill(id(0), 9);
    await until([[0, 'exited']]);
    await expect(subject.containers.exec(id(0), request)).rejects.toMatchObject({
      reason: 'RunContainerError',
    });
  });

  it('lets any number of clients attach, and goes on without them', async () => {
    await subject.containers.start({ ...subject.spec('cat', 0), stdin: 'open' }, never);
    const reader = await attach(false);
    const writer = await attach(true);
    let written = '';
    await vi.waitFor(() => {
      writer.session.write(Buffer.from('hello\n'));
      written += 'hello\n';
      expect(reader.seen()).toMatch(/^(hello\n)+/);
    });
    await vi.waitFor(() => expect(reader.seen()).toBe(written));
    writer.session.endInput();
    writer.session.close();
    const next = await attach(true);
    await vi.waitFor(() => {
      next.session.write(Buffer.from('again\n'));
      expect([reader.seen(), next.seen()]).toEqual([
        expect.stringContaining('again'),
        expect.stringMatching(/^(again\n)+/),
      ]);
    });
    await subject.containers.kill(id(0), 9);
    const ends = await Promise.all([reader.session.exited, next.session.exited]);
    expect(ends.map(({ exitCode }) => exitCode)).toEqual([137, 137]);
    await until([[0, 'exited']]);
    await expect(attach(false)).rejects.toMatchObject({ reason: 'RunContainerError' });
  });

  it('ends an input that is open once with its first client', async () => {
    await subject.containers.start({ ...subject.spec('cat', 0), stdin: 'once' }, never);
    const { session, seen } = await attach(true);
    session.write(Buffer.from('hello\n'));
    session.endInput();
    expect(await session.exited).toMatchObject({ exitCode: 0 });
    expect(seen()).toBe('hello\n');
  });

  it('ends an attached client with an error when the shim dies', async () => {
    await subject.containers.start(subject.spec('run', 0), never);
    const { session } = await attach(false);
    await subject.lose('a');
    await expect(session.exited).rejects.toThrow(/shim hung up|connection lost/);
  });

  async function attach(stdin: boolean) {
    const session = await subject.containers.attach(id(0), stdin);
    const output: string[] = [];
    session.onOutput((_stream, chunk) => output.push(chunk.toString()));
    return { session, seen: () => output.join('') };
  }

  it('loses what runs with the shim, and forgets everything with the sandbox', async () => {
    await subject.containers.start(subject.spec('exit-3', 0), never);
    await until([[0, 'exited']]);
    await subject.containers.start(subject.spec('run', 1), never);
    changes.length = 0;
    await subject.lose('a');
    await until([
      [0, 'exited'],
      [1, 'lost'],
    ]);
    await vi.waitFor(() => expect(changes).toContain('a'));
    await subject.sandboxes.remove('a');
    expect(await states()).toEqual([]);
  });
}
