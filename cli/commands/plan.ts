import { Secret } from '../../api/secret.ts';
import type { Cli } from '../cli.ts';
import { defineVerb } from '../define-verb.ts';
import { titleOf } from '../kind-lookup.ts';
import { formatFinding } from '../manifest.ts';
import { type CheckedObject, changeOf } from '../manifest-check.ts';
import { type FieldChange, planChanges } from '../object-changes.ts';
import { paintOn } from '../print/colour.ts';
import { manifestFlags } from './check-files.ts';
import { checkWithPrune, pruneFlags } from './prune.ts';

export const definePlan = defineVerb({
  words: { '[words...]': '' },
  flags: { ...manifestFlags, ...pruneFlags },
  usage: '-f FILE [flags]',
  async run(cli, words, flags) {
    const { checked, pruned } = await checkWithPrune(cli, words, flags);
    const paint = paintOn(cli.io.stdout, cli.io);
    const counts = { created: 0, changed: 0, unchanged: 0, pruned: pruned.length };
    for (const one of checked) {
      const changes = await changesOf(cli, one);
      const outcome = changes ? (changes.length > 0 ? 'changed' : 'unchanged') : 'created';
      counts[outcome] += 1;
      const pods = changes?.some(({ path }) => path.startsWith('spec.template.'))
        ? ', with new pods'
        : '';
      cli.out(`${titleOf(one.ref)} ${paint(styles[outcome], outcome)}${pods}`);
      for (const change of changes ?? []) cli.out(`  ${lineOf(one, change)}`);
    }
    for (const { ref } of pruned) cli.out(`${titleOf(ref)} ${paint('bad', 'pruned')}`);
    const told = Object.entries(counts).filter(([, count]) => count > 0);
    cli.out(`\nan apply: ${told.map(([outcome, count]) => `${count} ${outcome}`).join(', ')}`);
  },
});

const styles = { created: 'good', changed: 'busy', unchanged: 'dim' } as const;

/** undefined: it isn't there yet. */
async function changesOf({ api }: Cli, one: CheckedObject) {
  const { before, after } = await changeOf(api, one);
  return before && planChanges(one.ref.kind.schema, { before, after, written: one.body });
}

/** "shop.yaml:7:13  spec.replicas: 2 → 3" */
function lineOf({ ref, body, written }: CheckedObject, change: FieldChange): string {
  const { path, before, after } = change;
  const isSecret = ref.kind === Secret && secretPaths.test(path);
  // What is written as stringData becomes data.
  const isText = isSecret && body.data === undefined;
  const writtenAt = change.writtenAt.replace(/^data/, isText ? 'stringData' : 'data');
  const [old, now] = [shortly(before), shortly(after)];
  const what = isSecret || old === now ? wordFor(change) : `${old} → ${now}`;
  const position = written.positionOf(writtenAt);
  return formatFinding({ file: written.file, position, subject: '', message: `${path}: ${what}` });
}

/** kubectl keeps all of a Secret in an annotation. */
const secretPaths = /^(data\b|metadata\.annotations)/;

function wordFor({ before, after }: FieldChange): string {
  if (before === undefined) return 'added';
  return after === undefined ? 'removed' : 'changed';
}

const longest = 60;

function shortly(value: unknown): string {
  if (value === undefined) return 'none';
  const json = JSON.stringify(value);
  if (json.length <= longest) return json;
  if (typeof value !== 'string') return `${json.slice(0, longest)}…`;
  return `text of ${value.split('\n').length} lines`;
}
