import type { AnyObject } from '../api/kind.ts';
import { hasReason } from '../api/status.ts';
import { type ApiRequest, refusal } from './client.ts';
import { type Api, collectionPath, type Selection, selectorsOf } from './resources.ts';

interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: T;
}

interface WatchStart extends Pick<ApiRequest, 'accept' | 'signal'> {
  readonly resourceVersion: string;
}

/** One watch, until the server ends it or `signal` aborts (which throws). Throws what an ERROR event says. */
export async function* watchObjects<T>(
  api: Api,
  selection: Selection,
  { resourceVersion, accept, signal }: WatchStart,
): AsyncGenerator<WatchEvent<T>> {
  const path = collectionPath(selection);
  const from = { watch: true, resourceVersion, allowWatchBookmarks: true };
  const query = { ...selectorsOf(selection), ...from };
  for await (const line of api.lines({ path, query, accept, signal })) {
    const event = JSON.parse(line) as WatchEvent<T>;
    if (event.type === 'ERROR') throw refusal(500, JSON.stringify(event.object));
    if (event.type !== 'BOOKMARK') yield event;
  }
}

/**
 * Everything that is selected: at first, and after each change. Ends when `signal` aborts; throws when the server can't
 * be reached.
 */
export async function* liveList<T extends AnyObject>(
  api: Api,
  selection: Selection,
  signal?: AbortSignal,
): AsyncGenerator<readonly T[]> {
  try {
    // What one watch missed is in the next list.
    while (!signal?.aborted) {
      const { items, metadata } = await api.list<T>(selection);
      const objects = new Map(items.map((object) => [object.metadata.uid, object]));
      yield [...objects.values()];
      const start = { resourceVersion: metadata.resourceVersion, signal };
      for await (const { type, object } of watchObjects<T>(api, selection, start)) {
        if (type === 'DELETED') objects.delete(object.metadata.uid);
        else objects.set(object.metadata.uid, object);
        yield [...objects.values()];
      }
    }
  } catch (error) {
    // A kind goes with its definition, and its objects with it.
    if (hasReason(error, 'NotFound')) yield [];
    else if (!signal?.aborted) throw error;
  }
}
