import type { AnyObject } from '../../api/kind.ts';
import { firstNamespaces, Namespace } from '../../api/namespace.ts';
import { forbidden, found, notFound } from '../../api/status.ts';
import { keyOf } from '../store/keys.ts';
import { checkPreconditions } from '../store/preconditions.ts';
import { type Answer, type ApiServerDeps, answer, bodyOf, type Call, ignoring } from './call.ts';
import { awaitFresh } from './freshness.ts';
import { answerList } from './list.ts';
import { parseBody } from './parse-body.ts';
import { type DeleteRequest, deleteRequest, listOptions } from './request-options.ts';
import { selectionOf } from './selection.ts';
import { success } from './status-reply.ts';

export async function deleteObject(call: Call, deps: ApiServerDeps): Promise<Answer> {
  const request = requestOf(call);
  const { object, outcome } = await deleteOne(call, request, deps);
  if (outcome === 'marked') return answer(call, object, deps);
  const { group, plural } = call.kind;
  return success(200, { group, kind: plural, name: call.name, uid: object.metadata.uid });
}

/** pods/eviction (policy/v1): a deletion with grace. `kubectl drain --dry-run` says so in the body's deleteOptions. */
export async function evictPod(call: Call, deps: ApiServerDeps): Promise<Answer> {
  const body = bodyOf(call);
  await deleteOne(call, deleteRequest(call.query, body.deleteOptions), deps);
  return success(201);
}

/** Answers with the list of what was deleted. */
export async function deleteCollection(call: Call, deps: ApiServerDeps): Promise<Answer> {
  const request = requestOf(call);
  const options = listOptions(call.query);
  const selects = selectionOf(call.kind, options);
  await awaitFresh(deps, options.resourceVersion);
  const found = deps.cache.list(call.kind, call.namespace || undefined).filter(selects);
  const deleted: AnyObject[] = [];
  for (const object of found) {
    const one = { ...call, ...keyOf(object) };
    const done = await deleteOne(one, request, deps).catch(ignoring('NotFound'));
    if (done) deleted.push(done.object);
  }
  return answerList(call, { objects: deleted, revision: deps.cache.revision }, deps);
}

async function deleteOne(
  { kind, namespace, name }: Pick<Call, 'kind' | 'namespace' | 'name'>,
  { dryRun, options }: DeleteRequest,
  { objects }: ApiServerDeps,
): Promise<{ readonly outcome: 'removed' | 'marked'; readonly object: AnyObject }> {
  checkDeletable(kind, name);
  const key = { namespace, name };
  if (!dryRun) {
    const done = await objects.delete(kind, key, options);
    if (done.outcome === 'absent') throw notFound(kind, name);
    return done;
  }
  const object = found(kind, name, await objects.get(kind, key));
  checkPreconditions(kind, object, options);
  return { outcome: 'removed', object };
}

const requestOf = (call: Call): DeleteRequest =>
  deleteRequest(call.query, call.body.length === 0 ? {} : parseBody(call));

function checkDeletable(kind: Call['kind'], name: string): void {
  if (kind.kind !== Namespace.kind || kind.group !== '' || !firstNamespaces.includes(name)) return;
  throw forbidden(kind, name, { why: 'this namespace may not be deleted' });
}
