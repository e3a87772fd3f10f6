import { parentPort, workerData } from 'node:worker_threads';
import { callOn, type Revisions } from './revisions.ts';
import { type Origin, SqliteRevisions } from './sqlite-revisions.ts';
import { type StoreChange, StoreError, type StoreErrorReason } from './store.ts';

/** Between the store and its thread: one batch is under way at a time; each is one SQLite transaction. */
export type Call = {
  [M in keyof Revisions]: { readonly method: M; readonly args: Parameters<Revisions[M]> };
}[keyof Revisions];

export type Request =
  | { readonly kind: 'batch'; readonly calls: readonly Call[] }
  | { readonly kind: 'close' };

export type Reply =
  | { readonly kind: 'opened' }
  | {
      readonly kind: 'batch';
      readonly answers: readonly Answer[];
      readonly changes: readonly StoreChange[];
    }
  /** Nothing of the batch happened. Fatal: nor will anything else. */
  | { readonly kind: 'failed'; readonly failure: Failure; readonly fatal: boolean };

export type Answer = { readonly value: unknown } | { readonly failure: Failure };

export type Failure = Readonly<{ reason: StoreErrorReason; message: string }>;

/** SQLite's primary result codes (sqlite.org/rescode.html) that a store can name; every other one is Unavailable. */
const reasons: Readonly<Record<number, readonly [StoreErrorReason, string]>> = {
  5: ['Locked', 'another process has the store open'],
  11: ['Corrupt', 'the store is damaged; restore a backup'],
  13: ['DiskFull', 'the disk is full'],
  18: ['TooLarge', 'the value is too large'],
  26: ['Corrupt', 'the file is not a store of orc'],
};

/** After these nothing that the connection believes can be trusted: the store must be opened again. */
const fatal: ReadonlySet<StoreErrorReason> = new Set(['Corrupt', 'Unavailable']);

/**
 * The store's thread. What arrives while one batch is being written waits at the sender and is the next batch: one
 * fsync for all of it.
 */
const { path, firstRevision } = workerData as Origin;
let changes: StoreChange[] = [];

const reply = (message: Reply) => parentPort?.postMessage(message);

try {
  serve(new SqliteRevisions({ path, firstRevision }, (committed) => changes.push(...committed)));
  reply({ kind: 'opened' });
} catch (error) {
  reply({ kind: 'failed', failure: failureOf(error), fatal: true });
}

function serve(revisions: SqliteRevisions): void {
  parentPort?.on('message', (request: Request) => {
    if (request.kind === 'batch') return reply(runBatch(revisions, request.calls));
    revisions.close();
    parentPort?.close();
  });
}

function runBatch(revisions: SqliteRevisions, calls: readonly Call[]): Reply {
  changes = [];
  try {
    const answers = revisions.durably(() => calls.map((call) => answer(revisions, call)));
    return { kind: 'batch', answers, changes };
  } catch (error) {
    const failure = failureOf(error);
    return { kind: 'failed', failure, fatal: fatal.has(failure.reason) };
  }
}

/** A StoreError here was raised before anything was written: it is the caller's own. */
function answer(revisions: SqliteRevisions, { method, args }: Call): Answer {
  try {
    return { value: callOn(revisions, method, ...args) };
  } catch (error) {
    if (error instanceof StoreError) return { failure: failureOf(error) };
    throw error;
  }
}

function failureOf(error: unknown): Failure {
  if (error instanceof StoreError) return { reason: error.reason, message: error.message };
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : -1;
  const [reason, what] = reasons[code] ?? ['Unavailable', 'SQLite failed'];
  const detail = error instanceof Error ? error.message : String(error);
  return { reason, message: `${path}: ${what} (${detail})` };
}
