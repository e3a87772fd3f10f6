import type { AnyObject } from '../../api/kind.ts';
import { found } from '../../api/status.ts';
import { type Answer, type ApiServerDeps, answer, type Call } from './call.ts';
import { awaitFresh } from './freshness.ts';

export async function getObject(call: Call, deps: ApiServerDeps): Promise<Answer> {
  return answer(call, await readObject(call, deps), deps);
}

/** From the cache, once it is fresh enough for what the query says. Throws NotFound. */
export async function readObject(call: Call, deps: ApiServerDeps): Promise<AnyObject> {
  await awaitFresh(deps, call.query.get('resourceVersion') ?? '');
  return found(call.kind, call.name, deps.cache.get(call.kind, call));
}
