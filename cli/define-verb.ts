import { type Command, Option } from 'commander';
import { own } from '../api/normalize.ts';
import { didYouMean } from '../base/closest.ts';
import { camelCase, type Flags, readFlags, UsageError, type ValuesOf } from '../base/flags.ts';
import type { Cli } from './cli.ts';

/** What a verb takes, and what it does. */
export interface Declaration<F extends Flags = Flags> {
  /** As commander writes them: '<pod>', '[args...]'. */
  readonly words?: Readonly<Record<string, string>>;
  readonly flags?: F;
  readonly usage?: string;
  /** Below the help. */
  readonly notes?: string;
  /** The exit code of what fails, where that isn't 1. */
  readonly failure?: number;
  /** Gives the exit code, where that isn't 0. */
  run(cli: Cli, words: readonly string[], flags: ValuesOf<F>): Promise<unknown>;
}

/** Its flags' types are `run`'s. */
export const defineVerb = <F extends Flags>(verb: Declaration<F>): Declaration => verb;

/** What the first word of a verb asks for. Throws UsageError. */
export function stepOf<S>(verb: string, steps: Readonly<Record<string, S>>, word: string): S {
  const step = own(steps, word);
  if (step !== undefined) return step;
  const known = Object.keys(steps);
  throw new UsageError(
    `orc ${verb} has no "${word}"; ${didYouMean(word, known, known.join(', '))}`,
  );
}

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

/** What commander has read of them; its --no-wait is "wait", and true without it. Throws UsageError. */
export function flagsOf<F extends Flags>(command: Command, flags: F): ValuesOf<F> {
  const options: Readonly<Record<string, unknown>> = command.opts();
  const given = Object.keys(flags).map((name) => {
    const value = options[camelCase(name.replace(/^no-/, ''))];
    const isGiven = name.startsWith('no-')
      ? value === false
      : value !== undefined && value !== false;
    return [name, isGiven ? [value].flat().map(String) : undefined];
  });
  return readFlags(flags, Object.fromEntries(given));
}
