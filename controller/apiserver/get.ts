import type { AnyObject } from '../../api/kind.ts';
import { found } from '../../api/status.ts';
import { type Answer, type ApiServerDeps, answer, type Call } from './call.ts';
import { awaitFresh } from './freshness.ts';

export async function getObject(call: Call, deps: ApiServerDeps): Promise<Answer> {
  const object = await readObject(call, deps);
  return answer(call, object, { code: 200, now: deps.clock.now() });
}

/** From the cache, once it is fresh enough for what the query says. Throws NotFound. */
export async function readObject(call: Call, deps: ApiServerDeps): Promise<AnyObject> {
  await awaitFresh(deps, call.query.get('resourceVersion') ?? '');
  return found(call.kind, call.name, deps.cache.get(call.kind, call));
}
