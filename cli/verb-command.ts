import { Command } from 'commander';
import type { Flags } from '../base/flags.ts';
import { globalFlags } from './cli.ts';
import { addFlags } from './define-verb.ts';
import { definitions, type VerbName, verbs } from './verbs.ts';

/** A verb's words and flags as commander reads and explains them. */
export async function verbCommand(name: VerbName): Promise<Command> {
  const { about, examples } = verbs[name];
  const { words = {}, flags = {}, usage, notes = '' } = await definitions[name]();
  const command = new Command(`orc ${name}`).exitOverride().helpOption('-h, --help', 'this');
  command.summary(about);
  command.addHelpText('before', `${examples.map((line) => `  ${line}`).join('\n')}\n`);
  for (const [word, meaning] of Object.entries(words)) command.argument(word, meaning);
  if (usage !== undefined) command.usage(usage);
  command.addHelpText('after', notes);
  addFlags(command, globalFlags);
  // A help fits on a screen: what few need is told where they look for it.
  for (const option of command.options)
    option.hideHelp(option.flags.startsWith('--as') && name !== 'auth');
  return addFlags(command, flags);
}

const globalsWithValue = ['-n', ...Object.keys(globalFlags).map((name) => `--${name}`)];

/** The verb is the first word that is neither a flag nor a flag's value: `orc -n shop get pods` is fine. */
export function splitVerb(argv: readonly string[]) {
  let at = 0;
  while (argv[at]?.startsWith('-')) at += globalsWithValue.includes(argv[at] ?? '') ? 2 : 1;
  const name = argv[at];
  return { name, args: [...argv.slice(0, at), ...argv.slice(at + 1)] };
}

/** What `orc` does besides its verbs. */
export interface Program {
  readonly about: string;
  /** A word behind its name, and what it is. */
  readonly argument?: readonly [name: string, about: string];
  flags(): Promise<Flags>;
}

export type Programs = Readonly<Record<string, Program>>;

export async function programCommand(name: string, program: Program): Promise<Command> {
  const command = new Command(`orc ${name}`).summary(program.about);
  if (program.argument) command.argument(...program.argument);
  return addFlags(command, await program.flags());
}
