import { readFile } from 'node:fs/promises';
import { systemClock } from '../base/clock.ts';
import { readIfPresent } from '../base/durable-file.ts';
import { UsageError } from '../base/flags.ts';
import { lockDirectory } from '../base/lock-directory.ts';
import { openLog } from '../base/log.ts';
import { systemRng } from '../base/rng.ts';
import { runCommand } from '../base/run-command.ts';
import { controllerKeyFiles, writeControllerKeys } from './auth/controller-keys.ts';
import { type Backup, readBackup } from './backup.ts';
import { type ControllerConfig, pathsOf, readControllerConfig } from './config.ts';
import { openStore } from './open-store.ts';
import { epochKey } from './store/keys.ts';
import { restoreStore } from './store/migrate.ts';
import type { Entry } from './store/store.ts';

const help = `orc restore FILE [flags of orc controller]: puts what \`orc backup\` saved into an empty store

  sudo orc restore cluster.backup --config /etc/orc/controller.yaml
  sudo orc restore cluster.backup --etcd https://10.0.0.1:2379 --etcd-ca …    from SQLite too

Stop every controller before. The store and this data directory must be empty: move what is left of
old ones away. Then start this controller, and others if they still have their keys; if not, with a
new token. Agents carry on, and go back to what the backup says.`;

/** `orc restore`. Gives the exit code. */
export function runRestore(argv: readonly string[]): Promise<number> {
  const [path, ...flags] = argv;
  return runCommand({ name: 'orc restore', help, argv }, async () => {
    if (path === undefined || path.startsWith('-'))
      throw new UsageError('first the FILE that orc backup made; --help says more');
    console.log(await restore(path, readControllerConfig(flags)));
  });
}

/**
 * So much higher are the revisions and the leaders' epochs than the backup's: nothing that was written, watched or
 * assigned after it is newer than what comes from now on.
 */
const leap = 1_000_000_000;

async function restore(path: string, config: ControllerConfig): Promise<string> {
  const backup = await readBackup(path);
  using _lock = await lockDirectory(config.dataDir, 'ledger');
  const places = pathsOf(config.dataDir);
  await checkKeys(backup, places);
  const base = { clock: systemClock(), rng: systemRng(), log: openLog('warn') };
  const first = backup.revision + leap;
  const side = await openStore(config, { ...base, firstRevision: first });
  try {
    const entries = backup.entries.map(withLaterEpoch);
    await restoreStore(side, { entries, first }, base.clock);
  } finally {
    await side.store.close();
  }
  // Last: without its keys no controller starts on a store.
  await writeControllerKeys(backup.keys, places);
  return `${backup.entries.length} keys of revision ${backup.revision} restored: start the controller`;
}

/** Those of the same cluster may be there. */
async function checkKeys({ keys }: Backup, places: ReturnType<typeof pathsOf>): Promise<void> {
  for (const { path, bytes } of controllerKeyFiles(keys, places)) {
    const found = await readIfPresent(readFile(path));
    if (found && Buffer.compare(found, Buffer.from(bytes)) !== 0)
      throw new Error(`${path} is of another cluster: move the data directory's content away`);
  }
}

const withLaterEpoch = (entry: Entry): Entry =>
  entry.key === epochKey
    ? { ...entry, value: Buffer.from(String(Number(Buffer.from(entry.value)) + leap)) }
    : entry;
