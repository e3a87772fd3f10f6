import { mkdirSync } from 'node:fs';
import { dirname, extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Revisions, type RevisionsAccess, revisionStore } from './revisions.ts';
import type { Answer, Call, Failure, Reply, Request } from './sqlite-worker.ts';
import { type Store, StoreError } from './store.ts';
import { type WatchHub, watchHub } from './watch-hub.ts';

export interface SqliteStoreOptions {
  /** The database file; its directory is made if need be. */
  readonly path: string;
  /** The revision of a store that is new. */
  readonly firstRevision?: number;
  /** Told once, when it can't go on: it must be opened again, which is best done by a new process. */
  readonly onFailure?: (error: StoreError) => void;
}

/** The embedded store: one file, one thread. @throws StoreError Locked, Corrupt, DiskFull, Unavailable */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  mkdirSync(dirname(options.path), { recursive: true, mode: 0o700 });
  const hub = watchHub();
  const thread = new SqliteThread(options, hub);
  await thread.opening.promise;
  return revisionStore(thread, hub);
}

/** So many calls share one fsync at most: bounds how long the first of them waits. */
const maxBatch = 512;

type Pending = Readonly<{ call: Call; answer: PromiseWithResolvers<unknown> }>;

class SqliteThread implements RevisionsAccess {
  readonly opening = Promise.withResolvers<void>();
  readonly #worker: Worker;
  readonly #hub: WatchHub;
  readonly #onFailure: (error: StoreError) => void;
  readonly #closed = Promise.withResolvers<void>();
  #waiting: Pending[] = [];
  #underWay: readonly Pending[] | undefined;
  /** Once set, the store answers with nothing else. */
  #ended: StoreError | undefined;
  #closing = false;

  constructor(options: SqliteStoreOptions, hub: WatchHub) {
    const { path, firstRevision = 0, onFailure = () => {} } = options;
    this.#hub = hub;
    this.#onFailure = onFailure;
    const program = new URL(`./sqlite-worker${extname(import.meta.url)}`, import.meta.url);
    this.#worker = new Worker(program, { workerData: { path, firstRevision } });
    this.#worker.on('message', (reply: Reply) => this.#onReply(reply));
    this.#worker.on('error', (cause) =>
      this.#end(new StoreError('Unavailable', "the store's thread failed", { cause })),
    );
    this.#worker.on('exit', () => {
      this.#end(new StoreError('Closed', 'the store is closed'));
      this.#closed.resolve();
    });
  }

  call<M extends keyof Revisions>(method: M, ...args: Parameters<Revisions[M]>) {
    if (this.#ended) return Promise.reject(this.#ended);
    if (this.#closing) return Promise.reject(new StoreError('Closed', 'the store is closed'));
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.push({ call: { method, args } as Call, answer });
    this.#sendNext();
    return answer.promise as Promise<ReturnType<Revisions[M]>>;
  }

  /** What was asked before is still answered. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#sendNext();
    await this.#closed.promise;
  }

  #sendNext(): void {
    if (this.#underWay) return;
    if (this.#waiting.length > 0) {
      this.#underWay = this.#waiting.splice(0, maxBatch);
      const calls = this.#underWay.map(({ call }) => call);
      this.#worker.postMessage({ kind: 'batch', calls } satisfies Request);
    } else if (this.#closing) this.#worker.postMessage({ kind: 'close' } satisfies Request);
  }

  #onReply(reply: Reply): void {
    if (reply.kind === 'opened') this.opening.resolve();
    else if (reply.kind === 'batch') this.#onBatch(reply);
    else this.#onFailed(reply);
  }

  /** Watchers are told first: whoever hears of a commit finds it told. */
  #onBatch({ answers, changes }: Extract<Reply, { kind: 'batch' }>): void {
    const batch = this.#takeUnderWay();
    this.#hub.publish(changes);
    for (const [i, answer] of answers.entries()) settle(batch[i] as Pending, answer);
    this.#sendNext();
  }

  #onFailed({ failure, fatal }: Extract<Reply, { kind: 'failed' }>): void {
    for (const pending of this.#takeUnderWay()) settle(pending, { failure });
    if (fatal) {
      this.#end(storeError(failure));
      void this.#worker.terminate();
    } else this.#sendNext();
  }

  #takeUnderWay(): readonly Pending[] {
    const batch = this.#underWay ?? [];
    this.#underWay = undefined;
    return batch;
  }

  #end(error: StoreError): void {
    if (!this.#ended && !this.#closing) this.#onFailure(error);
    this.#ended ??= error;
    this.opening.reject(this.#ended);
    this.#hub.fail(this.#ended);
    for (const { answer } of [...(this.#underWay ?? []), ...this.#waiting])
      answer.reject(this.#ended);
    this.#underWay = undefined;
    this.#waiting = [];
  }
}

function settle({ answer }: Pending, result: Answer): void {
  if ('value' in result) answer.resolve(result.value);
  else answer.reject(storeError(result.failure));
}

const storeError = ({ reason, message }: Failure) => new StoreError(reason, message);
