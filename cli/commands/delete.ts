import { StatusError } from '../../api/status.ts';
import { UsageError } from '../../base/flags.ts';
import type { Cli, DefineVerb } from '../cli.ts';
import { AlreadyTold } from '../cli-error.ts';
import { resultName } from '../kind-lookup.ts';
import { formatFinding } from '../manifest.ts';
import { nameObjects } from '../manifest-check.ts';
import { readManifests } from '../manifest-files.ts';
import { parseDuration } from '../print/duration.ts';
import { listObjects, type ObjectRef, objectPath } from '../resources.ts';
import { parseTargets } from '../targets.ts';
import { collect } from './file-flags.ts';
import { type Deleted, untilGone } from './until-gone.ts';

export const defineDelete: DefineVerb = (command, act) => {
  command
    .argument('[what...]', 'pod a b · deploy/web svc/web · pods (with -l or --all)')
    .option('-f, --filename <path>', 'what a file describes (repeatable)', collect)
    .option('-R, --recursive', 'directories within directories too')
    .option('-l, --selector <labels>', 'those with these labels')
    .option('--all', 'all of the kind in the namespace')
    .option('--grace-period <seconds>', 'for containers to end by themselves')
    .option('--force', 'forget pods at once, even those of a lost node')
    .option('--cascade <how>', 'background, foreground or orphan', 'background')
    .option('--ignore-not-found', 'what isn’t there is no error')
    .option('--dry-run', 'say what would be deleted; delete nothing')
    .option('--no-wait', 'don’t wait until they are gone')
    .option('--timeout <time>', 'for waiting', '5m')
    .action(act(deleteObjects));
};

interface DeleteFlags {
  readonly filename?: readonly string[];
  readonly recursive?: boolean;
  readonly selector?: string;
  readonly all?: boolean;
  readonly gracePeriod?: string;
  readonly force?: boolean;
  readonly cascade: string;
  readonly ignoreNotFound?: boolean;
  readonly dryRun?: boolean;
  readonly wait: boolean;
  readonly timeout: string;
}

async function deleteObjects(
  cli: Cli,
  words: readonly string[],
  flags: DeleteFlags,
): Promise<number> {
  const timeoutMs = parseDuration('--timeout', flags.timeout);
  const body = deleteOptions(flags);
  const refs = flags.filename ? await refsInFiles(cli, flags) : await refsOf(cli, words, flags);
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
  if (flags.wait && !flags.dryRun) await untilGone(cli, deleted, timeoutMs);
  return failed ? 1 : 0;
}

const policies: Readonly<Record<string, string>> = {
  background: 'Background',
  foreground: 'Foreground',
  orphan: 'Orphan',
};

interface DeleteBody {
  readonly propagationPolicy: string;
  readonly gracePeriodSeconds?: number;
  readonly dryRun?: readonly string[];
}

function deleteOptions({ gracePeriod, force, cascade, dryRun }: DeleteFlags): DeleteBody {
  const propagationPolicy = policies[cascade];
  if (propagationPolicy === undefined)
    throw new UsageError(`--cascade must be background, foreground or orphan, not "${cascade}"`);
  if (gracePeriod !== undefined && !/^\d+$/.test(gracePeriod))
    throw new UsageError(`--grace-period must be a number of seconds, not "${gracePeriod}"`);
  const grace = gracePeriod ?? (force ? '0' : undefined);
  return {
    propagationPolicy,
    ...(grace === undefined ? {} : { gracePeriodSeconds: Number(grace) }),
    ...(dryRun ? { dryRun: ['All'] } : {}),
  };
}

/** In the opposite order of their making: what is in a namespace before it. */
async function refsInFiles(cli: Cli, flags: DeleteFlags): Promise<readonly ObjectRef[]> {
  const { filename = [], recursive = false } = flags;
  const manifest = await readManifests(filename, { recursive, io: cli.io });
  const { named, findings } = nameObjects(manifest, await cli.namespace());
  for (const finding of findings) cli.err(formatFinding(finding));
  if (findings.length === 0) return named.map(({ ref }) => ref).reverse();
  cli.err('nothing was deleted');
  throw new AlreadyTold(1);
}

async function refsOf(
  cli: Cli,
  words: readonly string[],
  { selector, all = false }: DeleteFlags,
): Promise<readonly ObjectRef[]> {
  const targets = parseTargets(words);
  if ((all || selector !== undefined) && targets.some(({ name }) => name !== undefined))
    throw new UsageError('give names, or -l LABELS, or --all: not several of them');
  const namespace = await cli.namespace();
  const client = await cli.client();
  const refs = await Promise.all(
    targets.map(async ({ kind, name }) => {
      const place = kind.namespaced ? namespace : '';
      if (name !== undefined) return [{ kind, name, namespace: place }];
      if (selector === undefined && !all)
        throw new UsageError(`say which ${kind.plural}: names, -l LABELS or --all`);
      const selection = { kind, namespace: place, labelSelector: selector };
      const { items } = await listObjects(client, selection);
      return items.map(({ metadata }) => ({ kind, name: metadata.name, namespace: place }));
    }),
  );
  return refs.flat();
}

/** undefined: it isn't there. */
async function deleteOne(
  cli: Cli,
  ref: ObjectRef,
  options: DeleteBody,
): Promise<Deleted | undefined> {
  try {
    const client = await cli.client();
    const path = objectPath(ref);
    const { body } = await client.send<DeleteAnswer>({ method: 'DELETE', path, body: options });
    cli.out(`${resultName(ref.kind)}/${ref.name} deleted${options.dryRun ? ' (dry run)' : ''}`);
    return { ref, uid: body.metadata.uid ?? body.details?.uid ?? '' };
  } catch (error) {
    if (error instanceof StatusError && error.reason === 'NotFound') return undefined;
    throw error;
  }
}

/** The object as it is now, or a Status. */
interface DeleteAnswer {
  readonly metadata: { readonly uid?: string };
  readonly details?: { readonly uid?: string };
}
