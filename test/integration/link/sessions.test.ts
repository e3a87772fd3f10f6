import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogsTarget } from '../../../agent/session/session-options.ts';
import { SessionError } from '../../../agent/session/session-options.ts';
import type { ExecStream } from '../../../api/exec-stream.ts';
import type { PodExecRequest, PodLogOptions } from '../../../controller/pod-access.ts';
import { type LinkWorld, openLinkWorld } from '../../support/link-world.ts';
import { type ScriptedExec, scriptedExec } from '../../support/scripted-exec.ts';
import { waitFor } from '../../support/wait-for.ts';

let world: LinkWorld;
beforeEach(async () => {
  world = await openLinkWorld();
});
afterEach(() => world.close());

const target = { namespace: 'default', name: 'web', uid: 'uid-1', nodeName: 'host1' };
const command: PodExecRequest = {
  container: 'web',
  command: ['cat'],
  stdin: true,
  stdout: true,
  stderr: true,
  tty: false,
};
const wholeLog: PodLogOptions = {
  container: 'web',
  follow: false,
  previous: false,
  timestamps: false,
  tailLines: undefined,
  sinceMs: undefined,
  limitBytes: undefined,
};
const never = new AbortController().signal;
const mebibyte = 2 ** 20;

describe('exec over the link', () => {
  it('carries input, sizes, both outputs and the exit code', async () => {
    const script = scriptedExec();
    const stream = await startExec(script);
    const seen: string[] = [];
    stream.onOutput((name, chunk) => seen.push(`${name}:${Buffer.from(chunk).toString()}`));
    stream.write(Buffer.from('hello'));
    stream.resize(100, 40);
    stream.endInput();
    await waitFor('the end of input', () => script.inputEnded());
    expect(String(Buffer.concat(script.input))).toBe('hello');
    expect(script.sizes).toEqual([[100, 40]]);
    script.print('stdout', Buffer.from('out'));
    script.print('stderr', Buffer.from('err'));
    script.exit(3);
    expect(await stream.exited).toMatchObject({ exitCode: 3 });
    expect(seen).toEqual(['stdout:out', 'stderr:err']);
  });

  it('tells what the node refused, in its words', async () => {
    await connect({
      exec: () => Promise.reject(new SessionError('BadRequest', 'container "web" is waiting')),
    });
    await expect(exec()).rejects.toMatchObject({
      reason: 'BadRequest',
      message: 'container "web" is waiting',
    });
  });

  it('rejects `exited` when the command could not be started', async () => {
    const script = scriptedExec();
    const stream = await startExec(script);
    stream.onOutput(() => {});
    script.fail(new Error('exec: no such file'));
    await expect(stream.exited).rejects.toMatchObject({
      reason: 'InternalError',
      message: 'exec: no such file',
    });
  });

  it('kills the command when the client hangs up', async () => {
    const script = scriptedExec();
    const stream = await startExec(script);
    stream.onOutput(() => {});
    stream.close();
    await waitFor('the kill', () => script.isClosed());
  });

  it('ends when the node is lost', async () => {
    const script = scriptedExec();
    const agent = await connect({ exec: () => Promise.resolve(script.session) });
    const stream = await exec();
    stream.onOutput(() => {});
    await agent.session.stop();
    await expect(stream.exited).rejects.toMatchObject({ reason: 'InternalError' });
    await waitFor('the kill', () => script.isClosed());
  });

  it('is refused at once for a node that is not connected', async () => {
    await expect(exec()).rejects.toMatchObject({ reason: 'ServiceUnavailable' });
  });

  it('pauses the command while the client does not read, and brings 100 MB through in little memory', async () => {
    const script = scriptedExec();
    const stream = await startExec(script);
    const chunk = Buffer.alloc(64 * 1024, 7);
    const chunks = (100 * mebibyte) / chunk.length;
    let received = 0;
    stream.onOutput((_, bytes) => (received += bytes.length));
    stream.pause();
    let printed = 0;
    const printUntilPaused = () => {
      while (printed < chunks && !script.isPaused()) {
        script.print('stdout', chunk);
        printed++;
      }
    };
    await waitFor('the command to be paused', () => {
      printUntilPaused();
      return script.isPaused();
    });
    // What the buffers of both ends and the kernel hold; the rest is not even printed.
    expect(printed * chunk.length).toBeLessThan(16 * mebibyte);
    let mostUnderway = 0;
    stream.resume();
    await waitFor(
      'all of it',
      () => {
        printUntilPaused();
        mostUnderway = Math.max(mostUnderway, printed * chunk.length - received);
        return received === chunks * chunk.length;
      },
      20_000,
    );
    script.exit(0);
    expect((await stream.exited).exitCode).toBe(0);
    expect(mostUnderway).toBeLessThan(16 * mebibyte);
  });

  it('holds the client back while the command takes no input', async () => {
    const script = scriptedExec();
    const stream = await startExec(script);
    stream.onOutput(() => {});
    script.block();
    const chunk = Buffer.alloc(64 * 1024);
    let written = 0;
    await waitFor('a full stream', () => {
      written++;
      return !stream.write(chunk);
    });
    expect(written * chunk.length).toBeLessThan(16 * mebibyte);
    let drained = false;
    stream.onDrain(() => (drained = true));
    const drains = await waitFor('the drain', () => {
      script.drain();
      return drained;
    });
    expect(drains).toBe(true);
    await waitFor('all input', () => Buffer.concat(script.input).length === written * chunk.length);
  });
});

/** Ends too when the agent takes no more input, and what was sent lies there unread. */
describe('the connection of a session', () => {
  const connections = () =>
    process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;

  it.each<[string, (stream: ExecStream, script: ScriptedExec) => void]>([
    ['the command exits', (_, script) => script.exit(0)],
    ['the command fails', (_, script) => script.fail(new Error('gone'))],
    ['the client hangs up', (stream) => stream.close()],
  ])('ends when %s', async (_, end) => {
    const script = scriptedExec();
    await connect({ exec: () => Promise.resolve(script.session) });
    const before = connections();
    const stream = await exec();
    stream.onOutput(() => {});
    script.block();
    for (let sent = 0; sent < 16; sent++) stream.write(Buffer.alloc(mebibyte));
    await waitFor('some of it', () => script.input.length > 0);
    expect(connections()).toBeGreaterThan(before);
    end(stream, script);
    await waitFor('the end', () => connections() === before);
  });

  it('ends when the node refuses it', async () => {
    await connect({ exec: () => Promise.reject(new SessionError('BadRequest', 'waiting')) });
    const before = connections();
    await expect(exec()).rejects.toMatchObject({ reason: 'BadRequest' });
    await waitFor('the end', () => connections() === before);
  });
});

describe('attach and port-forward over the link', () => {
  const access = () => world.dispatcher().podAccess;

  it('reach the container and the port that were asked for, in both directions', async () => {
    const [attached, connected] = [scriptedExec(), scriptedExec()];
    const asked: unknown[] = [];
    const answer = (script: ScriptedExec) => async (request: unknown) => {
      asked.push(request);
      return script.session;
    };
    await connect({ attach: answer(attached), portForward: answer(connected) });
    const streams = [
      await access().attach(
        target,
        { container: 'web', stdin: true, stdout: true, stderr: false },
        never,
      ),
      await access().portForward(target, 8080, never),
    ];
    expect(asked).toMatchObject([
      { podUid: 'uid-1', container: 'web', stdin: true },
      { podUid: 'uid-1', port: 8080 },
    ]);
    for (const [n, script] of [attached, connected].entries()) {
      const seen: string[] = [];
      streams[n]?.onOutput((_, chunk) => seen.push(Buffer.from(chunk).toString()));
      streams[n]?.write(Buffer.from('in'));
      await waitFor('the input', () => Buffer.concat(script.input).toString() === 'in');
      script.print('stdout', Buffer.from('out'));
      script.print('stderr', Buffer.from('not asked for'));
      script.exit(n);
      expect([await streams[n]?.exited, seen]).toMatchObject([{ exitCode: n }, ['out']]);
    }
  });

  it('end in the node’s words when nobody listens', async () => {
    const script = scriptedExec();
    await connect({ portForward: async () => script.session });
    const stream = await access().portForward(target, 81, never);
    stream.onOutput(() => {});
    script.fail(new SessionError('BadRequest', 'port 81 refuses connections in the pod'));
    await expect(stream.exited).rejects.toMatchObject({
      reason: 'BadRequest',
      message: 'port 81 refuses connections in the pod',
    });
  });

  it('let go of the container when the client does, or the node is lost', async () => {
    const scripts = [scriptedExec(), scriptedExec()];
    const left = [...scripts];
    const agent = await connect({ attach: async () => left.shift()!.session });
    const request = { container: 'web', stdin: false, stdout: true, stderr: true };
    const first = await access().attach(target, request, never);
    const second = await access().attach(target, request, never);
    first.close();
    await waitFor('the first to be let go', () => scripts[0]!.isClosed());
    expect(scripts[1]!.isClosed()).toBe(false);
    second.onOutput(() => {});
    await agent.session.stop();
    await expect(second.exited).rejects.toMatchObject({ reason: 'InternalError' });
    await waitFor('the second to be let go', () => scripts[1]!.isClosed());
  });
});

describe('logs over the link', () => {
  it('yields the log with the options as they were asked for, and ends with it', async () => {
    const asked: LogsTarget[] = [];
    await connect({
      async logs(request) {
        asked.push(request);
        return lines(['one\n', 'two\n']);
      },
    });
    const options = { ...wholeLog, tailLines: 2, timestamps: true };
    expect(await textOf(await logs(options))).toBe('one\ntwo\n');
    expect(asked).toMatchObject([
      { podUid: 'uid-1', container: 'web', tailLines: 2, timestamps: true, sinceMs: undefined },
    ]);
  });

  it('tells what the node refused', async () => {
    await connect({
      logs: () => Promise.reject(new SessionError('NotFound', 'no previous container')),
    });
    await expect(logs(wholeLog)).rejects.toMatchObject({ reason: 'NotFound' });
  });

  it('stops the node’s reading when the client goes away', async () => {
    let stopped = false;
    await connect({
      async logs(_, signal) {
        signal.addEventListener('abort', () => (stopped = true));
        return endless();
      },
    });
    const gone = new AbortController();
    const access = world.dispatcher().podAccess;
    for await (const chunk of await access.logs(target, wholeLog, gone.signal)) {
      expect(chunk.length).toBeGreaterThan(0);
      gone.abort();
    }
    await waitFor('the node to stop', () => stopped);
  });

  it('reads on the node only as far as the client does', async () => {
    let yielded = 0;
    async function* source() {
      for (; yielded < 10_000; yielded++) yield Buffer.alloc(64 * 1024);
    }
    await connect({ logs: async () => source() });
    const stream = (await logs(wholeLog))[Symbol.asyncIterator]();
    await stream.next();
    let before = -1;
    await waitFor('the node to wait', async () => {
      const stands = yielded === before;
      before = yielded;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return stands;
    });
    expect(yielded * 64 * 1024).toBeLessThan(16 * mebibyte);
    await stream.return?.();
  });
});

describe('a question to the node', () => {
  const ask = (what: 'metrics' | 'healthz') =>
    world.dispatcher().podAccess.nodeText('host1', what, never);

  it('is answered whole, however long', async () => {
    const long = 'orc_sample 1\n'.repeat(600_000);
    await connect({ query: async (what) => (what === 'metrics' ? long : 'ok') });
    expect(await ask('healthz')).toBe('ok');
    expect(await ask('metrics')).toBe(long);
  });

  it('is refused in the node’s words', async () => {
    await connect({ query: () => Promise.reject(new SessionError('NotFound', 'no metrics here')) });
    await expect(ask('metrics')).rejects.toMatchObject({
      reason: 'NotFound',
      message: 'no metrics here',
    });
  });
});

async function connect(handlers: Parameters<LinkWorld['startAgent']>[0]['handlers']) {
  const agent = await world.startAgent({ nodeName: 'host1', ...(handlers && { handlers }) });
  await waitFor('the connection', () => agent.session.connected);
  return agent;
}

async function startExec(script: ScriptedExec) {
  await connect({ exec: () => Promise.resolve(script.session) });
  return exec();
}

const exec = () => world.dispatcher().podAccess.exec(target, command, never);
const logs = (options: PodLogOptions) => world.dispatcher().podAccess.logs(target, options, never);

async function* lines(texts: readonly string[]) {
  for (const text of texts) yield Buffer.from(text);
}

async function* endless() {
  for (;;) {
    yield Buffer.from('more\n');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const chunk of chunks) text += Buffer.from(chunk).toString();
  return text;
}
