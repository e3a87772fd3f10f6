import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

export interface OrcRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The command line as a user starts it, still running. */
export interface RunningOrc {
  readonly child: ChildProcess;
  /** What it has printed so far. */
  out(): string;
  err(): string;
  readonly ended: Promise<OrcRun>;
}

export interface OrcOptions {
  /** undefined: none is in the environment either. */
  readonly kubeconfig?: string;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** On a terminal of its own; its standard error comes out of `out` too. */
  readonly terminal?: boolean;
}

const root = join(import.meta.dirname, '../..');

export async function orc(args: readonly string[], options: OrcOptions = {}): Promise<OrcRun> {
  const running = startOrc(args, options);
  running.child.stdin?.end(options.input);
  return running.ended;
}

/** Its standard input stays open until the test ends it. */
export function startOrc(args: readonly string[], options: OrcOptions = {}): RunningOrc {
  const { kubeconfig = '', env = {}, terminal = false } = options;
  const command = [join(root, 'orc'), ...args];
  const [program = '', ...words] = terminal
    ? ['script', '-qfec', command.map(quoted).join(' '), '/dev/null']
    : command;
  const child = spawn(program, words, {
    env: { PATH: process.env.PATH, HOME: '/nonexistent', KUBECONFIG: kubeconfig, ...env },
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  child.stdin.on('error', () => {});
  const ended = new Promise<OrcRun>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? -1, out, err }));
  });
  return { child, ended, out: () => out, err: () => err };
}

const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
