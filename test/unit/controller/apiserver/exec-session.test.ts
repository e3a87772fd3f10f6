import { describe, expect, it } from 'vitest';
import type { ExecStream } from '../../../../api/exec-stream.ts';
import { StatusError } from '../../../../api/status.ts';
import {
  commandIn,
  connectExec,
  type ExecClient,
  type ExecStatus,
  exitStatus,
  tellSize,
  wantedStreams,
} from '../../../../controller/apiserver/exec-session.ts';

const text = (chunk: Uint8Array) => Buffer.from(chunk).toString();

/** Both ends of an exec that write down what they are told. */
function ends({ outputTaken = true, inputTaken = true } = {}) {
  const told: string[] = [];
  const exit = Promise.withResolvers<{ exitCode: number }>();
  const finished = Promise.withResolvers<ExecStatus>();
  const listeners: { output?: (stream: 'stdout' | 'stderr', chunk: Buffer) => void } = {};
  const drains: (() => void)[] = [];
  let client: ExecClient | undefined;
  const stream: ExecStream = {
    write: (chunk) => {
      told.push(`write ${text(chunk)}`);
      return inputTaken;
    },
    onDrain: (listener) => drains.push(listener),
    endInput: () => told.push('endInput'),
    resize: (columns, rows) => told.push(`resize ${columns}x${rows}`),
    onOutput: (listener) => {
      listeners.output = listener;
    },
    pause: () => told.push('pause'),
    resume: () => told.push('resume'),
    exited: exit.promise,
    close: () => told.push('close'),
  };
  connectExec(stream, {
    start: (given) => {
      client = given;
    },
    output: (name, chunk) => {
      told.push(`${name} ${text(chunk)}`);
      return outputTaken;
    },
    onDrain: (listener) => drains.push(listener),
    pauseInput: () => told.push('pauseInput'),
    resumeInput: () => told.push('resumeInput'),
    finish: finished.resolve,
  });
  told.length = 0;
  return {
    told,
    exit,
    finished: finished.promise,
    output: listeners.output!,
    client: client!,
    drains,
  };
}

describe('connectExec', () => {
  it('carries output, input, its end, sizes and the hang-up', () => {
    const { told, output, client } = ends();
    output('stdout', Buffer.from('out'));
    client.input(Buffer.from('in'));
    client.inputEnd();
    client.resize(80, 24);
    client.close();
    expect(told).toEqual(['stdout out', 'write in', 'endInput', 'resize 80x24', 'close']);
  });

  it('stops whoever is faster than the other, until that one has caught up', () => {
    const { told, output, client, drains } = ends({ outputTaken: false, inputTaken: false });
    output('stderr', Buffer.from('x'));
    client.input(Buffer.from('y'));
    for (const drain of drains) drain();
    expect(told).toEqual(['stderr x', 'pause', 'write y', 'pauseInput', 'resume', 'resumeInput']);
  });

  it('ends with the exit code, or with why there is none', async () => {
    const ended = ends();
    ended.exit.resolve({ exitCode: 3 });
    expect(await ended.finished).toEqual(exitStatus(3));
    const failed = ends();
    failed.exit.reject(new StatusError('InternalError', 'no such program'));
    expect(await failed.finished).toMatchObject({ status: 'Failure', message: 'no such program' });
  });
});

describe('what an exec asks for', () => {
  const query = (text: string) => new URLSearchParams(text);

  it('is a command word by word, and no stderr beside a terminal', () => {
    const asked = query('command=ls&command=-l+x&stdin=true&stdout=1&stderr=true&tty=true');
    expect(commandIn(asked)).toEqual(['ls', '-l x']);
    expect(wantedStreams(asked, 'web')).toEqual({
      container: 'web',
      stdin: true,
      stdout: true,
      stderr: false,
      tty: true,
    });
  });

  it('is refused without a command, or without a stream', () => {
    expect(() => commandIn(query('stdout=1'))).toThrow(/you must specify/);
    expect(() => wantedStreams(query('command=ls'), 'web')).toThrow(/you must specify/);
  });
});

it('reads sizes, and nothing else, from the resize channel', () => {
  const told: string[] = [];
  const client = { resize: (columns: number, rows: number) => told.push(`${columns}x${rows}`) };
  tellSize('{"Width":80,"Height":24}\n', client);
  tellSize('{"Width":80}', client);
  expect(told).toEqual(['80x24']);
});
