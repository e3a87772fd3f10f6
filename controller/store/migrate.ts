import { isDeepStrictEqual } from 'node:util';
import { type Clock, repeat } from '../../base/clock.ts';
import { isOfLeader, leaderKey } from './keys.ts';
import * as mark from './leader-mark.ts';
import type { Entry, Store } from './store.ts';

/** One side of a migration. */
export interface Side {
  readonly store: Store;
  /** For people. */
  readonly name: string;
  /** Others can have it open at the same time: it is held by the leader's key. */
  readonly isShared: boolean;
  /** As those who lead there have it. */
  readonly silenceMs?: number | undefined;
}

/** Why nothing was written. */
class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

/**
 * Copies every key to an empty store, in the order of their revisions, many transactions in one; then reads all of it
 * back. Whoever leads keeps both from it, and it keeps others from leading. The leader's key itself stays behind.
 * @returns how many keys
 */
export async function migrateStore(from: Side, to: Side, clock: Clock): Promise<number> {
  await using held = new AsyncDisposableStack();
  for (const side of [from, to]) if (side.isShared) held.use(await hold(side, clock));
  const entries = await wholeOf(from);
  await fill(to, { entries, first: 0 });
  if (isDeepStrictEqual(await wholeOf(from), entries)) return entries.length;
  await empty(to);
  throw new MigrationError(`${from.name} was written to meanwhile`);
}

interface Content {
  readonly entries: readonly Entry[];
  /** The target's revisions must not be lower than this one. */
  readonly first: number;
}

/** Writes a backup's content to an empty store, as {@link migrateStore} does. */
export async function restoreStore(to: Side, content: Content, clock: Clock): Promise<void> {
  await using held = new AsyncDisposableStack();
  if (to.isShared) held.use(await hold(to, clock));
  await fill(to, content);
}

async function fill(to: Side, { entries, first }: Content): Promise<void> {
  if ((await wholeOf(to)).length > 0) throw new MigrationError(`${to.name} is not empty`);
  if ((await to.store.revision()) < first)
    throw new MigrationError(`${to.name} was another cluster's: make a new one`);
  try {
    for (const batch of batchesOf(entries)) await write(to, batch);
    checkEqual(entries, await wholeOf(to));
  } catch (error) {
    await empty(to);
    throw error;
  }
}

async function hold({ store, name, silenceMs }: Side, clock: Clock): Promise<AsyncDisposable> {
  const holder = 'an orc that fills or copies the store';
  const waiting = new AbortController();
  const everyMs = mark.beatEveryMs(silenceMs);
  const cancel = clock.after((silenceMs ?? mark.usualSilenceMs) + everyMs, () => waiting.abort());
  const left = await mark
    .untilSilent({ store, clock, silenceMs, signal: waiting.signal })
    .finally(cancel);
  const outcome = left && (await store.commit(mark.taking(left, holder)));
  if (!outcome?.committed) {
    const leader = Buffer.from((await store.get(leaderKey))?.value ?? '').toString();
    throw new MigrationError(`${name} is in use: ${leader} leads; stop every controller first`);
  }
  const { revision } = outcome;
  const stop = repeat(clock, everyMs, async () => {
    await mark.beat(store, revision, holder).catch(() => undefined);
  });
  return {
    async [Symbol.asyncDispose]() {
      await stop();
      await mark.leaveMark(store, revision);
    },
  };
}

const wholeOf = async ({ store }: Side): Promise<readonly Entry[]> =>
  (await store.list('/')).entries.filter(({ key }) => !isOfLeader(key));

/** etcd takes 128 keys in a transaction, and 1.5 MB: one that is larger than this goes alone. */
const maxKeys = 100;
const maxBytes = 2 ** 20;

/** What was written in one transaction stays in one. */
function batchesOf(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  const byRevision = Map.groupBy(entries, ({ revision }) => revision);
  const batches: Entry[][] = [];
  for (const [, group] of [...byRevision].sort(([a], [b]) => a - b)) {
    const last = batches.at(-1);
    const both = [...(last ?? []), ...group];
    if (last && both.length <= maxKeys && bytesOf(both) <= maxBytes) last.push(...group);
    else batches.push(group);
  }
  return batches;
}

const bytesOf = (entries: readonly Entry[]) =>
  entries.reduce((sum, { value }) => sum + value.byteLength, 0);

async function write({ store, name }: Side, batch: readonly Entry[]): Promise<void> {
  const outcome = await store.commit({
    expect: batch.map(({ key }) => ({ key, revision: 0 })),
    puts: batch.map(({ key, value }) => ({ key, value })),
    deletes: [],
  });
  if (!outcome.committed) throw new MigrationError(`${name} is written to by somebody else`);
}

/** The same keys and bytes. Both in the order of keys. */
function checkEqual(wanted: readonly Entry[], found: readonly Entry[]): void {
  const odd = wanted.find(({ key, value }, i) => {
    const other = found[i];
    return other?.key !== key || Buffer.compare(value, other.value) !== 0;
  });
  if (odd || wanted.length !== found.length)
    throw new MigrationError(`read back, the copy is not the same: ${odd?.key ?? 'more keys'}`);
}

/** What was begun must not be taken for a whole store. */
async function empty(side: Side): Promise<void> {
  for (const batch of batchesOf(await wholeOf(side)))
    await side.store.commit({ expect: [], puts: [], deletes: batch.map(({ key }) => key) });
}
