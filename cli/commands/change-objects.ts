import type { AnyObject } from '../../api/kind.ts';
import type { Cli } from '../cli.ts';
import { titleOf } from '../kind-lookup.ts';
import { isUnchanged } from '../object-changes.ts';
import { openPrinter } from '../print/output.ts';
import type { ObjectRef, Patch } from '../resources.ts';

interface ChangeFlags {
  readonly dryRun: boolean;
  readonly output: string | undefined;
  /** "labeled" */
  readonly done: string;
}

/** For verbs that patch: gives what changes one object and says what became of it, or prints it as -o wants. */
export async function openChanges(cli: Cli, { dryRun, output, done }: ChangeFlags) {
  const print = await openPrinter(output);
  return async (ref: ObjectRef, live: AnyObject, patch: Patch): Promise<void> => {
    const object = await cli.api.patch(ref, { ...patch, dryRun });
    if (print) return void cli.io.stdout.write(await print([{ kind: ref.kind, object }], true));
    const same = isUnchanged(live, object) ? ' (no change)' : '';
    cli.out(`${titleOf(ref)} ${done}${same}${dryRun ? ' (dry run)' : ''}`);
  };
}
