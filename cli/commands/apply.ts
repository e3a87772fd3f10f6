import { conditionOf } from '../../api/condition.ts';
import { CustomResourceDefinition } from '../../api/custom-resource-definition.ts';
import { Deployment } from '../../api/deployment.ts';
import { on } from '../../base/flags.ts';
import { emptied, withMembers, writeApplySet } from '../apply-set.ts';
import type { Cli } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { defineVerb } from '../define-verb.ts';
import { openWait } from '../io.ts';
import { titleOf } from '../kind-lookup.ts';
import { type CheckedObject, changeOf } from '../manifest-check.ts';
import { isUnchanged } from '../object-changes.ts';
import { timeoutFlag } from '../print/duration.ts';
import type { ObjectRef } from '../resources.ts';
import { manifestFlags } from './check-files.ts';
import { followRollouts } from './follow-rollout.ts';
import { checkWithPrune, confirmPrune, pruneAll, pruneFlags } from './prune.ts';
import { comesTrue, parseWanted } from './wait.ts';

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
    const found = await checkWithPrune(cli, words, flags);
    if (flags.dryRun) return showDryRun(cli, found);
    const { set, checked, pruned } = found;
    if (pruned.length > 0 && !flags.yes) await confirmPrune(cli, pruned);
    const refs = checked.map(({ ref }) => ref);
    if (set) await writeApplySet(cli.api, withMembers(set, refs));
    const results = await applyAll(cli, checked, flags.forceConflicts);
    await pruneAll(cli, pruned);
    if (set) await writeApplySet(cli.api, withMembers(emptied(set), refs));
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
  const results: { readonly ref: ObjectRef; readonly outcome: Outcome }[] = [];
  for (const { ref, body, dryRun } of checked) {
    const { code, body: applied } = await cli.api.apply(ref, { body, force });
    const same = applied.metadata.resourceVersion === dryRun?.body.metadata.resourceVersion;
    const outcome = code === 201 ? 'created' : same ? 'unchanged' : 'configured';
    cli.out(`${titleOf(ref)} ${outcome}`);
    if (ref.kind === CustomResourceDefinition) await untilEstablished(cli, ref);
    results.push({ ref, outcome });
  }
  return results;
}

type Found = Awaited<ReturnType<typeof checkWithPrune>>;

async function showDryRun(cli: Cli, { checked, pruned }: Found): Promise<void> {
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
async function untilEstablished(cli: Cli, ref: ObjectRef): Promise<void> {
  using wait = openWait(cli.io, establishedWithinMs);
  if (await comesTrue(cli, ref, { ...parseWanted('condition=Established'), ...wait })) return;
  const definition = await cli.api.get<CustomResourceDefinition>(ref);
  const { message = 'nothing says why' } = conditionOf(definition, 'NamesAccepted') ?? {};
  throw new CliError(`${titleOf(ref)} is not established: ${message}`);
}
