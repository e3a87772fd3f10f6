import { on, UsageError } from '../../base/flags.ts';
import { defineVerb } from '../define-verb.ts';
import { containerFlag, pickContainer } from '../pods-of.ts';
import { hasTerminal, runInTerminal } from '../terminal.ts';

export const defineExec = defineVerb({
  words: {
    '<pod>': 'a pod, or KIND/NAME of what has pods',
    '[command...]': 'behind --, so that its flags are its own',
  },
  flags: {
    container: containerFlag,
    stdin: on('pass standard input on').short('i'),
    tty: on('give it a terminal').short('t'),
  },
  usage: '[flags] POD -- COMMAND…',
  async run(cli, [target = '', ...command], { container, stdin, tty }) {
    if (command.length === 0)
      throw new UsageError(`say what to run: orc exec ${target} -- COMMAND`);
    const where = await pickContainer(cli, target, container);
    const how = { stdin, output: true, tty: hasTerminal(cli, tty) };
    return runInTerminal(cli, { ...where, ...how, command });
  },
});
