import * as wire from '../../api/generated/etcd.ts';
import { backoffMs } from '../../base/backoff.ts';
import type { Base } from '../../base/base.ts';
import { sleep } from '../../base/clock.ts';
import { closed, etcdFailure } from './etcd-errors.ts';
import { type EtcdAccess, EtcdLink } from './etcd-link.ts';
import * as port from './store.ts';

export interface EtcdStoreOptions extends EtcdAccess, Base {
  /** All keys in etcd begin with it. */
  readonly keyspace?: string;
  /** The revision of a store that is new. */
  readonly firstRevision?: number;
}

/**
 * A store in an etcd cluster, which must be orc's own: its revisions are etcd's, counted from the making of one key.
 * Outages end by themselves: calls wait a few seconds and then say Unavailable, watches go on afterwards.
 * @throws StoreError Unavailable
 */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<port.Store> {
  const link = new EtcdLink(options, options.clock);
  try {
    const etcd = await reach(link, options);
    return {
      get: async (key) => (await range(etcd, { key: etcd.keyspace + key })).entries[0],
      list: (prefix) => list(etcd, prefix),
      commit: (transaction) => commit(etcd, transaction),
      watch: (prefix, watchOptions) => watch(etcd, prefix, watchOptions),
      compact: (revision) =>
        unlessCompacted(link.call(wire.KVService.compact, { revision: revision + etcd.offset })),
      revision: async () => (await range(etcd, { key: etcd.origin })).revision,
      close: () => link.close(),
    };
  } catch (error) {
    await link.close();
    throw error;
  }
}

type Etcd = Awaited<ReturnType<typeof reach>>;

/** The first who comes makes the key from whose revision all others are counted. */
async function reach(link: EtcdLink, options: EtcdStoreOptions) {
  const { keyspace = 'orc', firstRevision = 0 } = options;
  const origin = `${keyspace}.origin`;
  const value = Buffer.from(String(firstRevision));
  const { answer } = await link.call(wire.KVService.txn, {
    compare: [unchanged(origin, 0)],
    success: [op({ $case: 'requestPut', value: { key: origin, value } })],
    failure: [read(origin)],
  });
  const found = answer.succeeded ? undefined : foundIn(answer, 0);
  const madeAt = found?.createRevision ?? answer.header?.revision ?? 0;
  const first = Number(Buffer.from(found?.value ?? value).toString());
  /** etcd's revision is so much higher than the store's. */
  const offset = madeAt - first;
  return { options, link, keyspace, origin, offset, first };
}

/** So many keys come in one answer. */
const pageSize = 5000;
const mayBeWritten = 'etcd did not answer at first: it may have been written';

/** Page by page, all as of the first one's revision. */
async function list(etcd: Etcd, prefix: string) {
  const rangeEnd = endOf(etcd.keyspace + prefix);
  const first = await range(etcd, { key: etcd.keyspace + prefix, rangeEnd });
  const entries = [...first.entries];
  for (let page = first; page.more; ) {
    const key = `${etcd.keyspace}${entries.at(-1)?.key}\0`;
    page = await range(etcd, { key, rangeEnd, revision: first.revision + etcd.offset });
    entries.push(...page.entries);
  }
  return { entries, revision: first.revision };
}

async function range(
  etcd: Etcd,
  wanted: { readonly key: string; readonly rangeEnd?: string; readonly revision?: number },
) {
  const request = { rangeEnd: '', revision: 0, limit: pageSize, ...wanted };
  const { answer } = await etcd.link.call(wire.KVService.range, request);
  const revision = (answer.header?.revision ?? 0) - etcd.offset;
  return { entries: answer.kvs.map((kv) => entryOf(etcd, kv)), revision, more: answer.more };
}

async function commit(etcd: Etcd, transaction: port.Transaction): Promise<port.CommitOutcome> {
  port.checkTransaction(transaction);
  const { expect, puts, deletes } = transaction;
  const inEtcd = (key: string) => etcd.keyspace + key;
  const request = {
    compare: expect.map(({ key, revision }) =>
      unchanged(inEtcd(key), revision && revision + etcd.offset),
    ),
    success: [
      ...puts.map(({ key, value }) => {
        const put = { key: inEtcd(key), value: Buffer.from(value) };
        return op({ $case: 'requestPut', value: put });
      }),
      ...deletes.map((key) => op({ $case: 'requestDeleteRange', value: { key: inEtcd(key) } })),
    ],
    failure: expect.map(({ key }) => read(inEtcd(key))),
  };
  const repeatable = isOnceOnly(transaction);
  const { answer, isRepeat } = await etcd.link.call(wire.KVService.txn, request, { repeatable });
  if (answer.succeeded)
    return { committed: true, revision: (answer.header?.revision ?? 0) - etcd.offset };
  if (isRepeat) throw new port.StoreError('Unavailable', mayBeWritten);
  return refusal(etcd, transaction, answer);
}

/** Written once, what it expects is no longer so: it can't be written a second time. */
function isOnceOnly({ expect, puts, deletes }: port.Transaction): boolean {
  const written = new Set([...puts.map(({ key }) => key), ...deletes]);
  return expect.some(({ key }) => written.has(key));
}

function refusal(etcd: Etcd, { expect }: port.Transaction, answer: wire.TxnResponse) {
  for (const [i, { key, revision }] of expect.entries()) {
    const found = foundIn(answer, i);
    const current = found && entryOf(etcd, found);
    if ((current?.revision ?? 0) !== revision) return { committed: false as const, key, current };
  }
  throw new port.StoreError('Corrupt', 'etcd refused a transaction whose expectations hold');
}

async function* watch(etcd: Etcd, prefix: string, { after, signal }: port.WatchOptions) {
  const { link, options, keyspace, offset, first } = etcd;
  if (after < first) throw port.compacted(after, first);
  const key = keyspace + prefix;
  const { clock, log } = options;
  const range = { key, rangeEnd: endOf(key), after: after + offset };
  for await (const events of watchEtcd({ link, ...range, signal, clock, log }))
    yield events.flatMap((event) => changeOf(etcd, event));
}

function changeOf(etcd: Etcd, { type, kv }: wire.Event): readonly port.StoreChange[] {
  if (!kv) return [];
  const entry = entryOf(etcd, kv);
  return [type === 0 ? { ...entry, kind: 'put' } : { ...entry, kind: 'delete', value: undefined }];
}

async function unlessCompacted(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof port.StoreError) || error.reason !== 'Compacted') throw error;
  }
}

const entryOf = ({ keyspace, offset }: Etcd, kv: wire.KeyValue): port.Entry => ({
  key: kv.key.slice(keyspace.length),
  value: kv.value,
  revision: kv.modRevision - offset,
});

/** Every string that starts with the prefix is less than this one. Keys are ASCII. */
const endOf = (prefix: string) =>
  prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);

const unchanged = (key: string, modRevision: number): wire.Compare => ({
  key,
  target: 2,
  targetUnion: { $case: 'modRevision', value: modRevision },
});

const read = (key: string): wire.RequestOp =>
  op({ $case: 'requestRange', value: { key, rangeEnd: '', limit: 0, revision: 0 } });

const op = (request: wire.RequestOp['request']): wire.RequestOp => ({ request });

const foundIn = ({ responses }: wire.TxnResponse, index: number): wire.KeyValue | undefined =>
  responses[index]?.response?.value.kvs[0];

/** `after` is a revision of etcd's. */
interface EtcdWatch extends port.WatchOptions, Pick<Base, 'clock' | 'log'> {
  readonly link: EtcdLink;
  readonly key: string;
  readonly rangeEnd: string;
}

const pause = { firstMs: 25, capMs: 500 };

/**
 * Every event with a revision > `after`, once, in order, a revision never split; goes on where it was after whatever break.
 * Ends when the signal aborts. @throws StoreError Compacted, Closed
 */
async function* watchEtcd(watch: EtcdWatch): AsyncGenerator<readonly wire.Event[], void> {
  const { link, clock, log } = watch;
  const signal = AbortSignal.any([watch.signal, link.closing]);
  let { after } = watch;
  for (let failures = 0; !signal.aborted; ) {
    try {
      for await (const events of watchOnce({ ...watch, after, signal })) {
        failures = 0;
        after = revisionOf(events.at(-1)) ?? after;
        yield events;
      }
    } catch (err) {
      if (signal.aborted) break;
      const failure = etcdFailure(err);
      if (failure.kind === 'refused' && failure.error.reason === 'Compacted') throw failure.error;
      const retryInMs = backoffMs(pause, ++failures);
      log.debug({ err, revision: after, retryInMs }, 'the watch at etcd broke; it will go on');
      await sleep(clock, retryInMs, signal).catch(() => undefined);
    }
  }
  if (!watch.signal.aborted) throw closed();
}

/**
 * Starts with the last revision that is known already, and leaves it out: etcd then says that something is missing also
 * where only the revision after the last is gone.
 */
async function* watchOnce(watch: EtcdWatch): AsyncGenerator<readonly wire.Event[], void> {
  const { link, key, rangeEnd, after, signal } = watch;
  const { stream, failed } = await link.stream(wire.WatchService.watch);
  const cancel = () => stream.cancel();
  stream.on('error', () => undefined);
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const startRevision = Math.max(1, after);
    const value = { key, rangeEnd, startRevision };
    stream.write({ requestUnion: { $case: 'createRequest', value } });
    for await (const { canceled, compactRevision, cancelReason, events } of stream) {
      if (compactRevision > 0)
        throw new port.StoreError('Compacted', `etcd knows from ${compactRevision}`);
      if (canceled)
        throw new port.StoreError('Unavailable', `etcd ended the watch: ${cancelReason}`);
      const unseen = events.filter((event: wire.Event) => (revisionOf(event) ?? 0) > after);
      if (unseen.length > 0) yield unseen;
    }
    throw new port.StoreError('Unavailable', 'etcd ended the watch');
  } catch (error) {
    failed();
    throw error;
  } finally {
    signal.removeEventListener('abort', cancel);
    cancel();
  }
}

const revisionOf = (event: wire.Event | undefined) => event?.kv?.modRevision;
