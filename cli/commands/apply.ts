import { conditionOf } from '../../api/condition.ts';
import { CustomResourceDefinition, isEstablished } from '../../api/custom-resource-definition.ts';
import { Deployment } from '../../api/deployment.ts';
import { on } from '../../base/flags.ts';
import { emptied, type Member, withMembers, writeApplySet } from '../apply-set.ts';
import type { Cli } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { defineVerb } from '../define-verb.ts';
import { openWait } from '../io.ts';
import { titleOf } from '../kind-lookup.ts';
import { liveList } from '../live-list.ts';
import { type CheckedObject, changeOf } from '../manifest-check.ts';
import { isUnchanged } from '../object-changes.ts';
import { timeoutFlag } from '../print/duration.ts';
import { justThis, type ObjectRef } from '../resources.ts';
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
      .filter(({ ref }) => ref.kind === Deployment)
      .filter(({ outcome }) => flags.wait || outcome !== 'unchanged')
      .map(({ ref }) => ref);
    if (wait && rollouts.length > 0) await followRollouts(cli, rollouts, flags.timeout);
  },
});

type Outcome = 'created' | 'configured' | 'unchanged';

async function applyAll(cli: Cli, checked: readonly CheckedObject[], force: boolean) {
  const { api, out } = cli;
  const results: { readonly ref: ObjectRef; readonly outcome: Outcome }[] = [];
  for (const { ref, body, dryRun } of checked) {
    const { code, body: applied } = await api.apply(ref, { body, force });
    const same = applied.metadata.resourceVersion === dryRun?.body.metadata.resourceVersion;
    const outcome = code === 201 ? 'created' : same ? 'unchanged' : 'configured';
    out(`${titleOf(ref)} ${outcome}`);
    if (ref.kind === CustomResourceDefinition) await untilEstablished(cli, ref);
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

async function wouldBe({ api }: Cli, one: CheckedObject): Promise<Outcome> {
  const { before, after } = await changeOf(api, one);
  if (before === undefined) return 'created';
  return isUnchanged(before, after) ? 'unchanged' : 'configured';
}

/** A definition is slow to say why it isn't used: it may yet be. */
const establishedWithinMs = 5_000;

/** The next object may be of the kind that it makes. */
async function untilEstablished({ api, io }: Cli, ref: ObjectRef): Promise<void> {
  using wait = openWait(io, establishedWithinMs);
  let why = '';
  for await (const [found] of liveList<CustomResourceDefinition>(api, justThis(ref), wait.signal)) {
    if (found && isEstablished(found)) return;
    why = (found && conditionOf(found, 'NamesAccepted')?.message) ?? why;
  }
  throw new CliError([`${titleOf(ref)} is not established`, why].filter(Boolean).join(': '));
}
