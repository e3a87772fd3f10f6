import type { Argument, Command, Option } from 'commander';
import { kinds } from '../api/kinds.ts';
import { Namespace } from '../api/namespace.ts';
import { Node } from '../api/node.ts';
import { Pod } from '../api/pod.ts';

export type Candidate = Readonly<{ word: string; about?: string | undefined }>;

/** What the word at the cursor could be: words; or around names that only the cluster knows. */
export interface Completion {
  readonly words?: readonly Candidate[];
  /** The names of the objects of this kind: "pods", "deploy". */
  readonly kind?: string;
  /** The names of the containers of this: "web-1", "deploy/web". */
  readonly containersOf?: string | undefined;
  /** What stands before and behind each. */
  readonly prefix?: string;
  readonly suffix?: string;
}

/** From the command's own declaration. Pure. */
export function planCompletion(command: Command, line: WordsSoFar, current: string): Completion {
  const { words, pending, ended } = line;
  if (pending) return planValue(pending, words, current);
  const [, flag = '', value = ''] = /^(--[\w-]+)=(.*)$/.exec(current) ?? [];
  const option = findOption(command, flag);
  if (option) return { ...planValue(option, words, value), prefix: `${flag}=` };
  if (ended) return {};
  if (current.startsWith('-')) return { words: command.options.map(candidateOf) };
  const { registeredArguments } = command;
  const at = Math.min(words.length, registeredArguments.length - 1);
  const argument = registeredArguments[at];
  if (argument === undefined || (words.length > at && !argument.variadic)) return {};
  return planWord(argument, words, { at, current });
}

export type WordsSoFar = ReturnType<typeof readWords>;

/** `ended`: behind "--" are words of somebody else. */
export function readWords(command: Command, given: readonly string[]) {
  const words: string[] = [];
  /** Of flags that have one, by their attribute's name. */
  const values: Record<string, string> = {};
  /** The flag that the next word is the value of. */
  let pending: Option | undefined;
  for (const word of given) {
    if (word === '--' && !pending) return { words, values, pending, ended: true };
    const [, flag = word, value] = /^(--[\w-]+)=(.*)$/.exec(word) ?? [];
    const option = pending ?? findOption(command, flag);
    if (pending || value !== undefined) values[option?.attributeName() ?? ''] = value ?? word;
    else if (!word.startsWith('-')) words.push(word);
    pending = !pending && value === undefined && option?.required ? option : undefined;
  }
  return { words, values, pending, ended: false };
}

const findOption = (command: Command, flag: string): Option | undefined =>
  command.options.find(({ long, short }) => flag === long || flag === short);

const candidateOf = ({ long, short, description }: Option): Candidate => ({
  word: long ?? short ?? '',
  about: description,
});

function planValue(option: Option, given: readonly string[], current: string): Completion {
  const name = option.attributeName();
  if (name === 'namespace') return { kind: Namespace.plural };
  if (name === 'container') return { containersOf: given[0] };
  const words = choicesIn(option.description);
  return name === 'for' && words.length === 0 ? planTarget([], current) : { words };
}

function planWord(
  argument: Argument,
  words: readonly string[],
  { at, current }: { readonly at: number; readonly current: string },
): Completion {
  const choices = choicesIn(argument.description);
  if (choices.length > 0) return { words: choices };
  const name = argument.name();
  if (name === 'what') return planTarget(words.slice(at), current);
  if (name === 'name' && words[at - 1] !== undefined) return planTarget(words, current);
  if (name === 'pod') return current.includes('/') ? planTarget([], current) : { kind: Pod.plural };
  if (name === 'nodes') return { kind: Node.plural };
  const isHere = /^[./~]|:/.test(current);
  return (name === 'from' || name === 'to') && !isHere ? { kind: Pod.plural, suffix: ':' } : {};
}

/** KIND NAME… or KIND/NAME…. */
function planTarget([first]: readonly string[], current: string): Completion {
  const [, kind] = /^([^/]+)\//.exec(current) ?? [];
  if (kind !== undefined) return { kind, prefix: `${kind}/` };
  if (first !== undefined) return first.includes('/') ? {} : { kind: first };
  return { words: kinds.map(({ plural, kind }) => ({ word: plural, about: kind })) };
}

/** "wide, name, yaml or json" and the like: descriptions that list all there is. */
function choicesIn(about: string): readonly Candidate[] {
  const [, first = '', last = ''] =
    /^([\w-]+=?(?:, [\w-]+=?)*) or ([\w-]+=?)(?=[;,]|$)/.exec(about) ?? [];
  if (last !== '') return [...first.split(', '), last].map((word) => ({ word }));
  return /^[a-z]+$/.test(about) ? [{ word: about }] : [];
}
