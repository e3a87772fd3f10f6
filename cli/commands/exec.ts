import { Pod } from '../../api/pod.ts';
import { UsageError } from '../../base/flags.ts';
import type { Cli, DefineVerb } from '../cli.ts';
import { type ExecConnection, openExec } from '../exec-connection.ts';
import type { Io } from '../io.ts';
import { pickPod } from '../pods-of.ts';
import { type ObjectRef, objectPath } from '../resources.ts';
import { parsePodTarget } from '../targets.ts';

export const defineExec: DefineVerb = (command, act) => {
  command
    .argument('<pod>', 'a pod, or KIND/NAME of what has pods')
    .argument('[command...]', 'behind --, so that its flags are its own')
    .option('-c, --container <name>', 'which one (default: the first)')
    .option('-i, --stdin', 'pass standard input on')
    .option('-t, --tty', 'give it a terminal')
    .usage('[flags] POD -- COMMAND…')
    .action(act(exec));
};

interface ExecFlags {
  readonly container?: string;
  readonly stdin?: boolean;
  readonly tty?: boolean;
}

async function exec(cli: Cli, words: readonly string[], flags: ExecFlags): Promise<number> {
  const [target = '', ...command] = words;
  if (command.length === 0) throw new UsageError(`say what to run: orc exec ${target} -- COMMAND`);
  const { kind, name } = parsePodTarget(target);
  const client = await cli.client();
  const pod = await pickPod(client, { kind, name, namespace: await cli.namespace() });
  const { namespace = '', name: podName } = pod.metadata;
  const tty = (flags.tty ?? false) && (cli.io.stdin.isTTY ?? false);
  if (flags.tty && !tty) cli.err('orc: standard input is not a terminal: going on without -t');
  const connection = await openExec(
    client.connection,
    execRequest({ kind: Pod, namespace, name: podName }, { ...flags, command, tty }),
    (stream, chunk) => void cli.io[stream].write(chunk),
  );
  return attached(cli.io, connection, { stdin: flags.stdin ?? false, tty });
}

function execRequest(
  pod: ObjectRef,
  { command, container, stdin, tty }: ExecFlags & { readonly command: readonly string[] },
) {
  const query = { command, container, stdin, tty, stdout: true, stderr: !tty };
  return { path: objectPath(pod, 'exec'), query };
}

/** Joins the terminal and the command until that has ended; the terminal is then as it was. */
async function attached(
  { stdin, stdout }: Io,
  connection: ExecConnection,
  mode: { readonly stdin: boolean; readonly tty: boolean },
): Promise<number> {
  const resize = () => connection.resize(stdout.columns ?? 80, stdout.rows ?? 24);
  const onInput = (chunk: Buffer) => {
    if (connection.write(chunk)) return;
    stdin.pause();
    void connection.drained().then(() => stdin.resume());
  };
  const onEnd = () => connection.endInput();
  if (mode.stdin) stdin.on('data', onInput).on('end', onEnd);
  if (mode.tty) {
    stdin.setRawMode?.(true);
    stdout.on('resize', resize);
    resize();
  }
  try {
    return await connection.exited;
  } finally {
    if (mode.tty) stdin.setRawMode?.(false);
    stdout.off('resize', resize);
    if (mode.stdin) stdin.off('data', onInput).off('end', onEnd).pause();
    connection.close();
  }
}
