import { createInterface } from 'node:readline';
import type { AnyObject } from '../api/kind.ts';
import type { ApiClient } from './client.ts';
import { refusal } from './client.ts';
import { collectionPath, listObjects, type Selection, selectorsOf } from './resources.ts';

export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: T;
}

export interface WatchStart {
  readonly resourceVersion: string;
  readonly accept?: string;
  readonly signal?: AbortSignal;
}

/** One watch, until the server ends it or `signal` aborts (which throws). Throws what an ERROR event says. */
export async function* watchObjects<T>(
  client: ApiClient,
  selection: Selection,
  { resourceVersion, accept, signal }: WatchStart,
): AsyncGenerator<WatchEvent<T>> {
  const response = await client.open({
    path: collectionPath(selection),
    query: {
      ...selectorsOf(selection),
      watch: true,
      resourceVersion,
      allowWatchBookmarks: true,
    },
    ...(accept === undefined ? {} : { accept }),
    signal,
  });
  for await (const line of createInterface({ input: response })) {
    const event = JSON.parse(line) as WatchEvent<T>;
    if (event.type === 'ERROR') throw refusal(500, JSON.stringify(event.object));
    if (event.type !== 'BOOKMARK') yield event;
  }
}

/**
 * Calls `onChange` with everything that is selected: at first, and after each change. Ends (resolves) when `signal`
 * aborts; throws when the server can't be reached.
 */
export async function followList<T extends AnyObject>(
  client: ApiClient,
  selection: Selection,
  { signal, onChange }: { signal: AbortSignal; onChange: (objects: readonly T[]) => void },
): Promise<void> {
  try {
    // What one watch missed is in the next list.
    while (!signal.aborted) {
      const { items, metadata } = await listObjects<T>(client, selection);
      const objects = new Map(items.map((object) => [object.metadata.uid, object]));
      onChange([...objects.values()]);
      const start = { resourceVersion: metadata.resourceVersion, signal };
      for await (const { type, object } of watchObjects<T>(client, selection, start)) {
        if (type === 'DELETED') objects.delete(object.metadata.uid);
        else objects.set(object.metadata.uid, object);
        onChange([...objects.values()]);
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
