import { type SpawnOptionsWithoutStdio, spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

/** How a program ended, and what it said; -1 stands for an end by a signal. */
export interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const runDeadlineMs = 60_000;

/** Runs a program to its end; the environment is this process's with `env` added. */
export async function runProgram(
  program: string,
  args: readonly string[],
  { env = {}, ...options }: SpawnOptionsWithoutStdio & { readonly input?: string } = {},
): Promise<Run> {
  const child = spawn(program, args, {
    timeout: runDeadlineMs,
    ...options,
    env: { ...process.env, ...env },
  });
  child.stdin.on('error', () => {});
  child.stdin.end(options.input);
  const code = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve(status ?? -1));
  });
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await code, out, err };
}
