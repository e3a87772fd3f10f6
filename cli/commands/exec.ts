import { UsageError } from '../../base/flags.ts';
import type { Cli, DefineVerb } from '../cli.ts';
import { pickContainer } from '../pods-of.ts';
import { hasTerminal, runInTerminal } from '../terminal.ts';

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
  const where = await pickContainer(cli, target, flags.container);
  const { stdin = false, tty = false } = flags;
  return runInTerminal(cli, {
    ...{ ...where, command, stdin, output: true, tty: hasTerminal(cli, tty) },
  });
}
