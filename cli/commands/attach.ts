import type { Cli, DefineVerb } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { containersOf, pickContainer } from '../pods-of.ts';
import { hasTerminal, runInTerminal } from '../terminal.ts';

export const defineAttach: DefineVerb = (command, act) => {
  command
    .argument('<pod>', 'a pod, or KIND/NAME of what has pods')
    .option('-c, --container <name>', 'which one (default: the first)')
    .option('-i, --stdin', 'pass standard input on (the container’s stdin: true)')
    .option('-t, --tty', 'it has a terminal (the container’s tty: true)')
    .action(act(attach));
};

interface AttachFlags {
  readonly container?: string;
  readonly stdin?: boolean;
  readonly tty?: boolean;
}

async function attach(cli: Cli, [target = '']: readonly string[], flags: AttachFlags) {
  const where = await pickContainer(cli, target, flags.container);
  const { container, pod } = where;
  const { stdin = false, tty = false } = flags;
  const spec = containersOf(pod).find(({ name }) => name === container);
  if (stdin && !spec?.stdin)
    throw new CliError(`container ${container} takes no input (stdin: true): attach without -i`);
  if (tty && !spec?.tty)
    cli.err(`orc: container ${container} has no terminal: going on without -t`);
  return runInTerminal(cli, {
    ...{ ...where, command: undefined, stdin, output: true },
    tty: spec?.tty === true && hasTerminal(cli, tty),
  });
}
