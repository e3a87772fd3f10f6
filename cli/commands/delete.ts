import { list, on, oneOf, text, UsageError, type ValuesOf } from '../../base/flags.ts';
import type { Cli } from '../cli.ts';
import { defineVerb } from '../define-verb.ts';
import { titleOf } from '../kind-lookup.ts';
import { groundsFirst, nameObjects } from '../manifest-check.ts';
import { readManifests } from '../manifest-files.ts';
import { timeoutFlag } from '../print/duration.ts';
import { ifFound, type ObjectRef, objectPath } from '../resources.ts';
import { refsMeant, selectionFlags } from '../targets.ts';
import { refused } from './check-files.ts';
import { type Deleted, untilGone } from './until-gone.ts';

const policies = { background: 'Background', foreground: 'Foreground', orphan: 'Orphan' };

const deleteFlags = {
  filename: list('path', 'what a file describes').short('f'),
  recursive: on('directories within directories too').short('R'),
  ...selectionFlags,
  'grace-period': text('seconds', 'for containers to end by themselves').whole(),
  force: on('forget pods at once, even those of a lost node'),
  cascade: oneOf('how', ['background', 'foreground', 'orphan'], 'background'),
  'ignore-not-found': on('what isn’t there is no error'),
  'dry-run': on('say what would be deleted; delete nothing'),
  'no-wait': on('don’t wait until they are gone'),
  timeout: timeoutFlag,
};

export const defineDelete = defineVerb({
  words: { '[what...]': 'pod a b · deploy/web svc/web · pods (with -l or --all)' },
  flags: deleteFlags,
  async run(cli, words, flags) {
    const body = deleteOptions(flags);
    const { filename, selector, all } = flags;
    if (filename.length > 0 && (words.length > 0 || selector !== undefined || all))
      throw new UsageError('give files, or names, or what selects them: not several of these');
    const refs =
      filename.length > 0 ? await refsInFiles(cli, flags) : await refsMeant(cli, words, flags);
    const deleted: Deleted[] = [];
    let failed = false;
    for (const ref of refs) {
      const one = await deleteOne(cli, ref, body);
      if (one !== undefined) deleted.push(one);
      else if (!flags.ignoreNotFound) {
        cli.err(`orc: ${ref.kind.plural} "${ref.name}" not found`);
        failed = true;
      }
    }
    if (!flags.noWait && !flags.dryRun) await untilGone(cli, deleted, flags.timeout);
    return failed ? 1 : 0;
  },
});

type DeleteFlags = ValuesOf<typeof deleteFlags>;

type DeleteBody = ReturnType<typeof deleteOptions>;

const deleteOptions = ({ gracePeriod, force, cascade, dryRun }: DeleteFlags) => ({
  propagationPolicy: policies[cascade],
  gracePeriodSeconds: gracePeriod ?? (force ? 0 : undefined),
  dryRun: dryRun ? ['All'] : undefined,
});

/** In the opposite order of their making: what is in a namespace before it. */
async function refsInFiles(cli: Cli, flags: DeleteFlags): Promise<readonly ObjectRef[]> {
  const { filename, recursive } = flags;
  const manifest = await readManifests(filename, { recursive, io: cli.io });
  const { named, findings } = await nameObjects(cli.api, manifest, await cli.namespace());
  if (findings.length > 0) throw refused(cli, findings, 'nothing was deleted');
  return groundsFirst(named)
    .map(({ ref }) => ref)
    .reverse();
}

type Uid = { readonly uid?: string };

/** undefined: it isn't there. The answer is the object as it is now, or a Status. */
async function deleteOne(cli: Cli, ref: ObjectRef, options: DeleteBody) {
  const request = { method: 'DELETE', path: objectPath(ref), body: options } as const;
  const answer = await ifFound(cli.api.send<{ metadata: Uid; details?: Uid }>(request));
  if (answer === undefined) return undefined;
  cli.out(`${titleOf(ref)} deleted${options.dryRun ? ' (dry run)' : ''}`);
  const { metadata, details } = answer.body;
  return { ref, uid: metadata.uid ?? details?.uid ?? '' };
}
