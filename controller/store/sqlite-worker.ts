import { parentPort, workerData } from 'node:worker_threads';
import { callOn } from './revisions.ts';
import { isFatal, sqliteStoreError } from './sqlite-errors.ts';
import type { Answer, Call, Failure, Reply, Request } from './sqlite-messages.ts';
import { type Origin, openSqliteRevisions, type SqliteRevisions } from './sqlite-revisions.ts';
import { type StoreChange, StoreError } from './store.ts';

/**
 * The store's thread. What arrives while one batch is being written waits at the sender and is the next batch: one
 * fsync for all of it.
 */
const { path, firstRevision } = workerData as Origin;
let changes: StoreChange[] = [];

const reply = (message: Reply) => parentPort?.postMessage(message);

try {
  serve(
    openSqliteRevisions({ path, firstRevision }, (committed) => void changes.push(...committed)),
  );
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
    return { kind: 'failed', failure, fatal: isFatal(failure.reason) };
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
  const { reason, message } = sqliteStoreError(error, path);
  return { reason, message };
}
