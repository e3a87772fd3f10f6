import { Deployment } from '../../api/deployment.ts';
import type { AnyObject } from '../../api/kind.ts';
import { isSame } from '../../api/same.ts';
import { list, on, UsageError } from '../../base/flags.ts';
import type { Cli } from '../cli.ts';
import { defineVerb } from '../define-verb.ts';
import { resultName } from '../kind-lookup.ts';
import { formatFinding } from '../manifest.ts';
import { type CheckedObject, checkManifest, groundsFirst } from '../manifest-check.ts';
import { readManifests } from '../manifest-files.ts';
import { timeoutFlag } from '../print/duration.ts';
import { ifFound, type ObjectRef } from '../resources.ts';
import { followRollouts } from './follow-rollout.ts';

export const defineApply = defineVerb({
  words: { '[words...]': '' },
  flags: {
    filename: list('path', 'a file, a directory, or -').short('f'),
    recursive: on('directories within directories too').short('R'),
    'dry-run': on('check everything and say what would change; change nothing'),
    'force-conflicts': on('take over fields that somebody else has set'),
    wait: on('until every Deployment that changed runs; usual on a terminal'),
    'no-wait': on('not on a terminal either'),
    timeout: timeoutFlag,
  },
  usage: '-f FILE [flags]',
  async run(cli, words, flags) {
    const { filename, recursive, forceConflicts: force } = flags;
    requireFiles(filename, words);
    const manifest = await readManifests(filename, { recursive, io: cli.io });
    const options = { namespace: await cli.namespace(), force };
    const { checked, findings } = await checkManifest(cli.api, manifest, options);
    if (findings.length > 0) {
      for (const finding of findings) cli.err(formatFinding(finding));
      cli.err('nothing was applied');
      return 1;
    }
    if (flags.dryRun) return showDryRun(cli, checked);
    const results = await applyAll(cli, checked, force);
    const isOnTerminal = cli.io.stdout.isTTY ?? false;
    const wait = flags.wait || (isOnTerminal && !flags.noWait);
    const rollouts = results
      .filter(({ ref }) => ref.kind.kind === Deployment.kind)
      .filter(({ outcome }) => flags.wait || outcome !== 'unchanged')
      .map(({ ref }) => ref);
    if (wait && rollouts.length > 0) await followRollouts(cli, rollouts, flags.timeout);
  },
});

type Outcome = 'created' | 'configured' | 'unchanged';

async function applyAll({ api, out }: Cli, checked: readonly CheckedObject[], force: boolean) {
  const results: { readonly ref: ObjectRef; readonly outcome: Outcome }[] = [];
  for (const { ref, body, dryRun } of groundsFirst(checked)) {
    const { code, body: applied } = await api.apply(ref, { body, force });
    const same = applied.metadata.resourceVersion === dryRun?.body.metadata.resourceVersion;
    const outcome = code === 201 ? 'created' : same ? 'unchanged' : 'configured';
    out(resultLine(ref, outcome));
    results.push({ ref, outcome });
  }
  return results;
}

async function showDryRun(cli: Cli, checked: readonly CheckedObject[]): Promise<void> {
  for (const one of groundsFirst(checked))
    cli.out(`${resultLine(one.ref, await wouldBe(cli, one))} (dry run)`);
}

async function wouldBe({ api }: Cli, { ref, dryRun }: CheckedObject): Promise<Outcome> {
  if (dryRun === undefined || dryRun.code === 201) return 'created';
  const live = await ifFound(api.get(ref));
  if (live === undefined) return 'created';
  return isSame(comparable(live), comparable(dryRun.body)) ? 'unchanged' : 'configured';
}

/** Who set a field is no change of it. */
const comparable = (object: AnyObject) => ({
  ...object,
  metadata: { ...object.metadata, managedFields: undefined, generation: undefined },
});

const resultLine = ({ kind, name }: ObjectRef, outcome: string): string =>
  `${resultName(kind)}/${name} ${outcome}`;

/** Throws UsageError: a path without -f is the usual slip. */
function requireFiles(paths: readonly string[], [word]: readonly string[]): void {
  if (word !== undefined) throw new UsageError(`"${word}": files are given with -f`);
  if (paths.length === 0)
    throw new UsageError('say which file: -f FILE, or -f - for standard input');
}
