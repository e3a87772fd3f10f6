import { type Command, Option } from 'commander';
import { camelCase, type Flags, type GivenTexts, readFlags, type ValuesOf } from '../base/flags.ts';
import type { Cli, DefineVerb } from './cli.ts';

/** What a verb takes, and what it does. */
interface Declaration<F extends Flags> {
  /** As commander writes them: '<pod>', '[args...]'. */
  readonly words?: Readonly<Record<string, string>>;
  readonly flags?: F;
  readonly usage?: string;
  /** Below the help. */
  readonly notes?: string;
  /** Gives the exit code. */
  run(cli: Cli, words: readonly string[], flags: ValuesOf<F>): Promise<number>;
}

export const defineVerb =
  <F extends Flags>(verb: Declaration<F>): DefineVerb =>
  (command, act) => {
    const { words = {}, flags = {} as F, usage, notes = '', run } = verb;
    for (const [name, about] of Object.entries(words)) command.argument(name, about);
    addFlags(command, flags);
    if (usage !== undefined) command.usage(usage);
    command.addHelpText('after', notes);
    command.action(
      act((cli, given, options: Options) =>
        run(cli, given, readFlags(flags, textsIn(options, flags))),
      ),
    );
  };

export function addFlags(command: Command, flags: Flags): Command {
  for (const [name, { look }] of Object.entries(flags)) {
    const { letter, value, about, fallback, repeatable = false, required = false } = look;
    const option = new Option(
      `${letter ? `-${letter}, ` : ''}--${name}${value ? ` <${value}>` : ''}`,
      repeatable ? `${about} (repeatable)` : about,
    );
    if (repeatable) option.argParser((one, before?: readonly string[]) => [...(before ?? []), one]);
    command.addOption(option.default(fallback).makeOptionMandatory(required));
  }
  return command;
}

type Options = Readonly<Record<string, unknown>>;

/** commander's --no-wait is "wait", and true without it. */
function textsIn(options: Options, flags: Flags): GivenTexts {
  const given = Object.keys(flags).map((name) => {
    const value = options[camelCase(name.replace(/^no-/, ''))];
    const isGiven = name.startsWith('no-')
      ? value === false
      : value !== undefined && value !== false;
    return [name, isGiven ? [value].flat().map(String) : undefined];
  });
  return Object.fromEntries(given);
}
