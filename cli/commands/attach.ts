import { on } from '../../base/flags.ts';
import { CliError } from '../cli-error.ts';
import { defineVerb } from '../define-verb.ts';
import { containerFlag, containersOf, pickContainer } from '../pods-of.ts';
import { hasTerminal, runInTerminal } from '../terminal.ts';

export const defineAttach = defineVerb({
  words: { '<pod>': 'a pod, or KIND/NAME of what has pods' },
  flags: {
    container: containerFlag,
    stdin: on('pass standard input on (the container’s stdin: true)').short('i'),
    tty: on('it has a terminal (the container’s tty: true)').short('t'),
  },
  async run(cli, [target = ''], { stdin, tty, container: wanted }) {
    const where = await pickContainer(cli, target, wanted);
    const { container, pod } = where;
    const spec = containersOf(pod).find(({ name }) => name === container);
    if (stdin && !spec?.stdin)
      throw new CliError(`container ${container} takes no input (stdin: true): attach without -i`);
    if (tty && !spec?.tty)
      cli.err(`orc: container ${container} has no terminal: going on without -t`);
    const how = { stdin, output: true, tty: spec?.tty === true && hasTerminal(cli, tty) };
    return runInTerminal(cli, { ...where, ...how, command: undefined });
  },
});
