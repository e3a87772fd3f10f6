import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ImageLine, ImageRequest } from '../api/node-images.ts';
import { rootCause } from '../base/error-chain.ts';
import { UsageError } from '../base/flags.ts';
import { linesOf } from '../base/lines.ts';
import { CliError } from './cli-error.ts';

interface Question {
  /** Of the agent's unix socket. */
  readonly socket: string;
  readonly verb: string;
  readonly asked: ImageRequest;
  /** What it is to read. */
  readonly archive?: Readable | undefined;
}

/** What the agent of this machine answers: the result at its end, or an archive; what it says before is told. */
export async function askAgent(
  question: Question,
  hear: (line: Exclude<ImageLine, { result: unknown } | { error: string }>) => void,
): Promise<unknown> {
  const { sent, answer } = await send(question);
  if (answer.headers['content-type'] === 'application/x-tar') return answer;
  try {
    for await (const text of linesOf(answer)) {
      const line: ImageLine = JSON.parse(text);
      if ('error' in line) throw new CliError(line.error);
      if ('result' in line) return line.result;
      hear(line);
    }
    throw new CliError('the agent ended before it was done');
  } finally {
    sent.destroy();
  }
}

async function send({ socket: socketPath, verb, asked, archive }: Question) {
  const { name = '' } = asked;
  const query = archive && name !== '' ? `?name=${encodeURIComponent(name)}` : '';
  const sent = request({ socketPath, method: 'POST', path: `/${verb}${query}` });
  const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
  // Whatever ends it ends the answer, too.
  if (archive) pipeline(archive, sent).catch(() => undefined);
  else sent.end(JSON.stringify(asked));
  try {
    return { sent, answer: (await answered)[0] };
  } catch (error) {
    throw unreachable(socketPath, error);
  }
}

function unreachable(path: string, cause: unknown): Error {
  const { code = '' } = rootCause(cause) as NodeJS.ErrnoException;
  if (code === 'EACCES') return new UsageError('only root can do that: sudo orc image …');
  if (code === 'ENOENT' || code === 'ECONNREFUSED')
    return new CliError(
      `no agent listens at ${path}: start it (systemctl start orc-agent), or say with --socket where its --run-dir is`,
    );
  return new CliError(`the agent at ${path} hung up`, { cause });
}
