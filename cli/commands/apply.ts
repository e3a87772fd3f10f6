import { Deployment } from '../../api/deployment.ts';
import { on } from '../../base/flags.ts';
import { emptied, type Member, withMembers, writeApplySet } from '../apply-set.ts';
import type { Cli } from '../cli.ts';
import { defineVerb } from '../define-verb.ts';
import type { CheckedObject } from '../manifest-check.ts';
import { isUnchanged } from '../object-changes.ts';
import { timeoutFlag } from '../print/duration.ts';
import { ifFound, type ObjectRef } from '../resources.ts';
import { titleOf } from './change-objects.ts';
import { checkFiles, manifestFlags } from './check-files.ts';
import { followRollouts } from './follow-rollout.ts';
import { confirmPrune, openApplySet, pruneAll, prunedBy, pruneFlags } from './prune.ts';

export const defineApply = defineVerb({
  words: { '[words...]': '' },
  flags: {
    ...manifestFlags,
    ...pruneFlags,
    yes: on('delete what is to be pruned without asking').short('y'),
    'dry-run': on('check everything and say what would change; change nothing'),
    wait: on('until every Deployment that changed runs; usual on a terminal'),
    'no-wait': on('not on a terminal either'),
    timeout: timeoutFlag,
  },
  usage: '-f FILE [flags]',
  async run(cli, words, flags) {
    const opened = await openApplySet(cli, flags);
    const checked = await checkFiles(cli, words, { ...flags, labels: opened?.labels });
    const pruned = opened ? await prunedBy(cli, opened.set, checked) : [];
    if (flags.dryRun) return showDryRun(cli, checked, pruned);
    if (pruned.length > 0 && !flags.yes) await confirmPrune(cli, pruned);
    const refs = checked.map(({ ref }) => ref);
    if (opened) await writeApplySet(cli.api, withMembers(opened.set, refs));
    const results = await applyAll(cli, checked, flags.forceConflicts);
    await pruneAll(cli, pruned);
    if (opened) await writeApplySet(cli.api, withMembers(emptied(opened.set), refs));
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
  for (const { ref, body, dryRun } of checked) {
    const { code, body: applied } = await api.apply(ref, { body, force });
    const same = applied.metadata.resourceVersion === dryRun?.body.metadata.resourceVersion;
    const outcome = code === 201 ? 'created' : same ? 'unchanged' : 'configured';
    out(`${titleOf(ref)} ${outcome}`);
    results.push({ ref, outcome });
  }
  return results;
}

async function showDryRun(
  cli: Cli,
  checked: readonly CheckedObject[],
  pruned: readonly Member[],
): Promise<void> {
  for (const one of checked) cli.out(`${titleOf(one.ref)} ${await wouldBe(cli, one)} (dry run)`);
  for (const { ref } of pruned) cli.out(`${titleOf(ref)} pruned (dry run)`);
}

async function wouldBe({ api }: Cli, { ref, dryRun }: CheckedObject): Promise<Outcome> {
  if (dryRun === undefined || dryRun.code === 201) return 'created';
  const live = await ifFound(api.get(ref));
  if (live === undefined) return 'created';
  return isUnchanged(live, dryRun.body) ? 'unchanged' : 'configured';
}
