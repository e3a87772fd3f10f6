import { access } from 'node:fs/promises';
import { systemClock } from '../base/clock.ts';
import * as flags from '../base/flags.ts';
import { openLog } from '../base/log.ts';
import { systemRng } from '../base/rng.ts';
import { runCommand } from '../base/run-command.ts';
import { etcdFlags, loadEtcdAccess, readEtcdConfig, silenceMsOf } from './etcd-access.ts';
import { openEtcdStore } from './store/etcd-store.ts';
import { migrateStore, type Side } from './store/migrate.ts';
import { openSqliteStore } from './store/sqlite-store.ts';

const place = 'sqlite:FILE|etcd:URL[,URL…]';

export const storeFlags = {
  from: flags.text(place, 'the store as it is').required(),
  to: flags.text(place, 'an empty one').required(),
  ...etcdFlags,
};

const help = `orc store migrate: copies a stopped controller's store into an empty one, and reads it back

  orc store migrate --from sqlite:/var/lib/orc/controller/store.db --to etcd:http://10.0.0.1:2379

${flags.formatFlags(storeFlags)}`;

/** `orc store migrate`. Gives the exit code. */
export const runStoreCommand = (argv: readonly string[]): Promise<number> =>
  runCommand({ name: 'orc store', help, argv }, async () => console.log(await migrate(argv)));

async function migrate(argv: readonly string[]): Promise<string> {
  const { given: texts, words } = flags.splitFlags(argv, storeFlags);
  if (words.join(' ') !== 'migrate')
    throw new flags.UsageError('orc store knows one verb: migrate');
  const given = flags.readFlags(storeFlags, texts);
  const [openFrom, openTo] = [sideOf(given, 'from'), sideOf(given, 'to')];
  await using open = new AsyncDisposableStack();
  const from = await openFrom(0);
  open.defer(() => from.store.close());
  const revision = await from.store.revision();
  const to = await openTo(revision);
  open.defer(() => to.store.close());
  const keys = await migrateStore(from, to, systemClock());
  return `${keys} keys copied from ${from.name} (revision ${revision}) to ${to.name}, and read back`;
}

/** Checks the flag, and says how to open what it names; a new store's revisions go on from those given. */
function sideOf(given: flags.ValuesOf<typeof storeFlags>, flag: 'from' | 'to') {
  const name = given[flag];
  const [, kind, where = ''] = /^(sqlite|etcd):(.+)$/.exec(name) ?? [];
  if (kind === undefined) throw new flags.UsageError(`--${flag} must be ${place}, not ${name}`);
  const base = { clock: systemClock(), rng: systemRng(), log: openLog('warn') };
  const etcd = kind === 'etcd' ? readEtcdConfig(given, flag, where.split(',')) : undefined;
  return async (firstRevision: number): Promise<Side> => {
    if (etcd) {
      const access = await loadEtcdAccess(etcd);
      const store = await openEtcdStore({ ...access, ...base, firstRevision });
      return { store, name, isShared: true, silenceMs: silenceMsOf(etcd) };
    }
    if (flag === 'from') await mustExist(where);
    const store = await openSqliteStore({ path: where, ...base, firstRevision });
    return { store, name, isShared: false };
  };
}

async function mustExist(path: string): Promise<void> {
  try {
    await access(path);
  } catch (cause) {
    throw new flags.UsageError(`--from: ${path} is not there`, { cause });
  }
}
