import type { Cli } from './cli.ts';
import { AlreadyTold } from './cli-error.ts';
import { type ExecConnection, type ExecWanted, openExec } from './exec-connection.ts';
import type { Io } from './io.ts';

/** -t only where there is a terminal to pass on. */
export function hasTerminal({ io, err }: Cli, tty: boolean): boolean {
  const isTerminal = io.stdin.isTTY ?? false;
  if (tty && !isTerminal) err('orc: standard input is not a terminal: going on without -t');
  return tty && isTerminal;
}

/** Joins this terminal and a container until that has ended; the terminal is then as it was. Gives the exit code; Ctrl-C where it is no key hangs up. */
export async function runInTerminal(cli: Cli, wanted: ExecWanted): Promise<number> {
  const connection = await openExec(cli.api, wanted);
  for (const stream of ['stdout', 'stderr'] as const)
    connection[stream].on('data', (chunk: Buffer) => void cli.io[stream].write(chunk));
  using undo = new DisposableStack();
  undo.defer(connection.close);
  if (wanted.stdin) undo.defer(passInput(cli.io, connection));
  if (wanted.tty) undo.defer(passSize(cli.io, connection));
  if (wanted.tty && wanted.stdin) undo.defer(makeRaw(cli.io));
  const interruption = cli.io.interruption();
  interruption.addEventListener('abort', connection.close, { once: true });
  undo.defer(() => interruption.removeEventListener('abort', connection.close));
  try {
    return await connection.exited;
  } catch (error) {
    throw interruption.aborted ? new AlreadyTold(130) : error;
  }
}

type Undo = () => void;

function passInput({ stdin }: Io, connection: ExecConnection): Undo {
  stdin.pipe(connection.stdin);
  return () => stdin.unpipe(connection.stdin);
}

function passSize({ stdout }: Io, connection: ExecConnection): Undo {
  // A terminal that nobody has sized says 0.
  const resize = () => connection.resize(stdout.columns || 80, stdout.rows || 24);
  stdout.on('resize', resize);
  resize();
  return () => stdout.off('resize', resize);
}

/** Keys go to the container as they are, Ctrl-C too. However this process ends, the terminal is put back. */
function makeRaw({ stdin, beforeEnd }: Io): Undo {
  stdin.setRawMode?.(true);
  return beforeEnd(() => stdin.setRawMode?.(false));
}
