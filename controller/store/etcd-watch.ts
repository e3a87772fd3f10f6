import { type Event, WatchService } from '../../api/generated/etcd.ts';
import { backoffMs } from '../../base/backoff.ts';
import type { Base } from '../../base/base.ts';
import { sleep } from '../../base/clock.ts';
import { closed, etcdFailure } from './etcd-errors.ts';
import type { EtcdLink } from './etcd-link.ts';
import { StoreError, type WatchOptions } from './store.ts';

/** `after` is a revision of etcd's. */
export interface EtcdWatch extends WatchOptions, Pick<Base, 'clock' | 'log'> {
  readonly link: EtcdLink;
  readonly key: string;
  readonly rangeEnd: string;
}

const pause = { firstMs: 25, capMs: 500 };

/**
 * Every event with a revision > `after`, once, in order, a revision never split; goes on where it was after whatever break.
 * Ends when the signal aborts. @throws StoreError Compacted, Closed
 */
export async function* watchEtcd(watch: EtcdWatch): AsyncGenerator<readonly Event[], void> {
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
async function* watchOnce(watch: EtcdWatch): AsyncGenerator<readonly Event[], void> {
  const { link, key, rangeEnd, after, signal } = watch;
  const { stream, failed } = await link.stream(WatchService.watch);
  const cancel = () => stream.cancel();
  stream.on('error', () => undefined);
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const startRevision = Math.max(1, after);
    const value = { key, rangeEnd, startRevision };
    stream.write({ requestUnion: { $case: 'createRequest', value } });
    for await (const { canceled, compactRevision, cancelReason, events } of stream) {
      if (compactRevision > 0)
        throw new StoreError('Compacted', `etcd knows from ${compactRevision}`);
      if (canceled) throw new StoreError('Unavailable', `etcd ended the watch: ${cancelReason}`);
      const unseen = events.filter((event: Event) => (revisionOf(event) ?? 0) > after);
      if (unseen.length > 0) yield unseen;
    }
    throw new StoreError('Unavailable', 'etcd ended the watch');
  } catch (error) {
    failed();
    throw error;
  } finally {
    signal.removeEventListener('abort', cancel);
    cancel();
  }
}

const revisionOf = (event: Event | undefined) => event?.kv?.modRevision;
