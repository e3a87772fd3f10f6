import { Command } from 'commander';
import { withDeadline } from '../base/deadline.ts';
import { type Cli, globalFlags, openCli } from './cli.ts';
import {
  type Candidate,
  type Completion,
  planCompletion,
  readWords,
  type WordsSoFar,
} from './complete-plan.ts';
import { addFlags } from './define-verb.ts';
import { type Io, processIo } from './io.ts';
import { findKind } from './kind-lookup.ts';
import { containersOf, pickPod } from './pods-of.ts';
import { refWithPods } from './targets.ts';
import { type Programs, programCommand, splitVerb, verbCommand } from './verb-command.ts';
import { isVerb, verbs } from './verbs.ts';

const answerWithinMs = 1000;
const maxNames = 500;

/**
 * `orc __complete -- WORD… CURRENT`, for shells: what the last word could be, one "WORD<tab>ABOUT" a line. A cluster that
 * doesn't answer, or a word that makes no sense, gives nothing, silently: nobody has asked for more.
 */
export async function runComplete(argv: readonly string[], programs: Programs): Promise<number> {
  const io = processIo();
  const words = argv.slice(argv[0] === '--' ? 1 : 0);
  const current = words.at(-1) ?? '';
  const { name = '', args } = splitVerb(words.slice(0, -1));
  try {
    const command = await commandOf(name, programs);
    const line = readWords(command, args);
    const found: readonly Candidate[] =
      name === '' && !line.pending && !current.startsWith('-')
        ? namesOf({ ...verbs, ...programs })
        : await candidates(io, line, planCompletion(command, line, current));
    for (const { word, about = '' } of found)
      if (word.startsWith(current))
        io.stdout.write(about === '' ? `${word}\n` : `${word}\t${about}\n`);
    return 0;
  } catch {
    return 1;
  }
}

const namesOf = (of: Readonly<Record<string, { readonly about: string }>>): readonly Candidate[] =>
  Object.entries(of).map(([word, { about }]) => ({ word, about }));

async function commandOf(name: string, programs: Programs): Promise<Command> {
  if (isVerb(name)) return verbCommand(name);
  const program = programs[name];
  return program ? programCommand(name, program) : addFlags(new Command(), globalFlags);
}

async function candidates(io: Io, { values }: WordsSoFar, plan: Completion) {
  const { words, prefix = '', suffix = '' } = plan;
  if (words) return words.map(({ word, about }) => ({ word: prefix + word, about }));
  const cli = openCli(io, values);
  const limit = { clock: io.clock, ms: answerWithinMs, what: 'completion' };
  try {
    const names = await withDeadline(limit, () => live(cli, plan));
    return names.map((name) => ({ word: prefix + name + suffix }));
  } finally {
    cli.api.close();
  }
}

async function live(cli: Cli, { kind: word, containersOf: target }: Completion) {
  if (target !== undefined) {
    const pod = await pickPod(cli.api, await refWithPods(cli, target));
    return containersOf(pod).map(({ name }) => name);
  }
  if (word === undefined) return [];
  const place = { kind: await findKind(cli.api, word), namespace: await cli.namespace() };
  const { items } = await cli.api.list({ ...place, limit: maxNames });
  return items.map(({ metadata }) => metadata.name);
}
