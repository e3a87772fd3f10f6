import { on, text, UsageError, type ValuesOf } from '../../base/flags.ts';
import * as applySet from '../apply-set.ts';
import type { Cli } from '../cli.ts';
import { AlreadyTold } from '../cli-error.ts';
import { ask } from '../confirm.ts';
import { titleOf } from '../kind-lookup.ts';
import { type CheckedObject, changeOf } from '../manifest-check.ts';
import { ifFound, objectPath } from '../resources.ts';
import { checkFiles, type manifestFlags, refused } from './check-files.ts';

export const pruneFlags = {
  prune: on('delete what the apply set holds and the files no longer describe'),
  applyset: text('name', 'of the apply set, for --prune: it remembers what it holds'),
};

/** What the files describe, and what of an apply set they no longer do. Throws as {@link checkFiles}. */
export async function checkWithPrune(cli: Cli, words: readonly string[], flags: Wanted) {
  const { prune, applyset: name } = flags;
  if (prune !== (name !== undefined))
    throw new UsageError('--prune and --applyset NAME go together: only a set knows what it holds');
  if (name === undefined)
    return { set: undefined, checked: await checkFiles(cli, words, flags), pruned: [] };
  const set = await applySet.readApplySet(cli.api, { namespace: await cli.namespace(), name });
  const labels = { [applySet.membershipLabel]: set.id };
  const checked = await checkFiles(cli, words, { ...flags, labels });
  return { set, checked, pruned: await prunedBy(cli, set, checked) };
}

type Wanted = ValuesOf<typeof manifestFlags & typeof pruneFlags>;

/** What would go. Throws AlreadyTold when an object belongs to another set. */
async function prunedBy(cli: Cli, set: applySet.ApplySet, checked: readonly CheckedObject[]) {
  const claims = checked.map(async (one) => {
    const { ref, written } = one;
    const { before } = await changeOf(cli.api, one);
    const owner = before?.metadata.labels?.[applySet.membershipLabel];
    if (owner === undefined || owner === set.id) return [];
    const position = written.positionOf('metadata.name');
    const message = `belongs to another apply set, ${owner}`;
    return [{ file: written.file, position, subject: titleOf(ref), message }];
  });
  const findings = (await Promise.all(claims)).flat();
  if (findings.length > 0) throw refused(cli, findings, 'nothing was applied');
  const members = await applySet.membersOf(cli.api, set);
  const wanted = checked.map(({ ref }) => ref);
  return applySet.planPrune(members, wanted);
}

export async function confirmPrune(cli: Cli, pruned: readonly applySet.Member[]): Promise<void> {
  cli.err('the files no longer describe, and the apply set holds:');
  for (const { ref } of pruned) cli.err(`  ${titleOf(ref)}`);
  const answer = await ask(cli.io, `delete ${pruned.length === 1 ? 'it' : 'them'}? [y/N] `);
  if (/^y(es)?$/i.test(answer)) return;
  cli.err('nothing was applied');
  throw new AlreadyTold(1);
}

/** These very objects: one of the same name that came meanwhile stays. */
export async function pruneAll({ api, out }: Cli, pruned: readonly applySet.Member[]) {
  for (const { ref, object } of pruned) {
    const preconditions = { uid: object.metadata.uid };
    const body = { propagationPolicy: 'Background', preconditions };
    await ifFound(api.send({ method: 'DELETE', path: objectPath(ref), body }));
    out(`${titleOf(ref)} pruned`);
  }
}
