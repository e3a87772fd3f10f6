import { list, on, UsageError, type ValuesOf } from '../../base/flags.ts';
import type { Cli } from '../cli.ts';
import { AlreadyTold } from '../cli-error.ts';
import { type Finding, formatFinding } from '../manifest.ts';
import { type CheckedObject, checkManifest, groundsFirst } from '../manifest-check.ts';
import { readManifests } from '../manifest-files.ts';

export const manifestFlags = {
  filename: list('path', 'a file, a directory, or -').short('f'),
  recursive: on('directories within directories too').short('R'),
  'force-conflicts': on('take over fields that somebody else has set'),
};

interface Wanted extends ValuesOf<typeof manifestFlags> {
  /** Of the apply set that they shall be members of. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** What the files describe, in the order of making. Throws AlreadyTold when all that the server refuses has been told. */
export async function checkFiles(
  cli: Cli,
  [word]: readonly string[],
  { filename, recursive, forceConflicts: force, labels = {} }: Wanted,
): Promise<readonly CheckedObject[]> {
  // A path without -f is the usual slip.
  if (word !== undefined) throw new UsageError(`"${word}": files are given with -f`);
  if (filename.length === 0)
    throw new UsageError('say which file: -f FILE, or -f - for standard input');
  const manifest = await readManifests(filename, { recursive, io: cli.io });
  const options = { namespace: await cli.namespace(), force, labels };
  const { checked, findings } = await checkManifest(cli.api, manifest, options);
  if (findings.length > 0) throw refused(cli, findings, 'nothing was applied');
  return groundsFirst(checked);
}

export function refused(cli: Cli, findings: readonly Finding[], outcome: string): AlreadyTold {
  for (const finding of findings) cli.err(formatFinding(finding));
  cli.err(outcome);
  return new AlreadyTold(1);
}
