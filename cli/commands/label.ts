import { own } from '../../api/normalize.ts';
import { on, UsageError } from '../../base/flags.ts';
import { CliError } from '../cli-error.ts';
import { defineVerb } from '../define-verb.ts';
import { titleOf } from '../kind-lookup.ts';
import { outputFlag } from '../print/output.ts';
import { refsMeant, selectionFlags } from '../targets.ts';
import { openChanges } from './change-objects.ts';

const markFlags = {
  ...selectionFlags,
  overwrite: on('what has another value already'),
  'dry-run': on('say what would change; change nothing'),
  output: outputFlag,
};

/** What both verbs do, to their part of the metadata. */
const defineMarks = (part: 'labels' | 'annotations', done: string) =>
  defineVerb({
    words: { '<what...>': 'deploy/web · deploy web api · pods (with -l or --all); then the marks' },
    usage: 'WHAT... KEY=VALUE|KEY-... [flags]',
    flags: markFlags,
    async run(cli, words, flags) {
      const first = words.findIndex((word) => /=|.-$/.test(word));
      if (first < 0)
        throw new UsageError(`say which ${part}: KEY=VALUE sets one, KEY- takes it away`);
      const marks = marksIn(words.slice(first));
      const change = await openChanges(cli, { ...flags, done });
      const refs = await refsMeant(cli, words.slice(0, first), flags);
      for (const ref of refs) {
        const live = await cli.api.get(ref);
        const held = Object.entries(live.metadata[part] ?? {}).find(([key, value]) => {
          const wanted = own(marks, key) ?? value;
          return wanted !== value && !flags.overwrite;
        });
        if (held)
          throw new CliError(
            `${titleOf(ref)} has ${held.join('=')} already; --overwrite changes it`,
          );
        await change(ref, live, { body: { metadata: { [part]: marks } } });
      }
    },
  });

export const defineLabel = defineMarks('labels', 'labeled');
export const defineAnnotate = defineMarks('annotations', 'annotated');

/** null takes one away. */
type Marks = Readonly<Record<string, string | null>>;

function marksIn(words: readonly string[]): Marks {
  const pairs = words.map((word): [key: string, value: string | null] => {
    const [, key = '', value] = /^([^=]+?)(?:=(.*)|-)$/s.exec(word) ?? [];
    if (key === '') throw new UsageError(`"${word}" is neither KEY=VALUE nor KEY-`);
    return [key, value ?? null];
  });
  const marks = new Map(pairs);
  if (marks.size < pairs.length) throw new UsageError('the same key is given twice');
  return Object.fromEntries(marks);
}
