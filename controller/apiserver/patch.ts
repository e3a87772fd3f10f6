import type { AnyObject } from '../../api/kind.ts';
import { isObject, normalize } from '../../api/normalize.ts';
import { StatusError } from '../../api/status.ts';
import { authorize } from './authorize.ts';
import type { Answer, ApiServerDeps, Call } from './call.ts';
import { answer, applyType, checkAddress, ignoring, metadataIn, writerOf } from './call.ts';
import { createFrom } from './create.ts';
import { parseBody } from './parse-body.ts';
import { applyJsonPatch } from './patch/json-patch.ts';
import { applyMergePatch } from './patch/merge-patch.ts';
import { applyServerSide } from './patch/server-side-apply.ts';
import { applyStrategicMergePatch } from './patch/strategic-merge.ts';
import { badRequest, type WriteOptions, writeOptions } from './request-options.ts';
import { changeScale } from './scale.ts';
import { changeObject } from './update.ts';

export async function patchObject(call: Call, deps: ApiServerDeps): Promise<Answer> {
  const options = writeOptions(call);
  const body = parseBody(call);
  if (call.contentType === applyType) return applyObject(call, { options, body }, deps);
  const change = (live: AnyObject) => patched(call, live, body);
  return answer(call, await changeObject(call, deps, { options, change }), deps);
}

export async function patchScale(call: Call, deps: ApiServerDeps): Promise<Answer> {
  const body = parseBody(call);
  const apply = call.contentType === jsonPatchType ? applyJsonPatch : applyMergePatch;
  return changeScale(call, deps, (scale) => record(apply(scale, body)));
}

const jsonPatchType = 'application/json-patch+json';
const strategicType = 'application/strategic-merge-patch+json';

function patched({ kind, contentType }: Call, live: AnyObject, patch: unknown) {
  switch (contentType) {
    case jsonPatchType:
      return record(applyJsonPatch(live, patch));
    case 'application/merge-patch+json':
      return record(applyMergePatch(live, patch));
    case strategicType:
      // Clients know nothing of how the lists of others' kinds are merged.
      if (kind.defined) throw unknownPatch(contentType);
      return record(applyStrategicMergePatch(kind.schema, live, patch));
    default:
      throw unknownPatch(contentType, strategicType);
  }
}

/** Server-side apply makes what isn't there. 201 says so. */
async function applyObject(
  call: Call,
  { options, body }: { readonly options: WriteOptions; readonly body: unknown },
  deps: ApiServerDeps,
): Promise<Answer> {
  if (!call.query.get('fieldManager')) throw noManager();
  const applied = appliedBody(call, body);
  const writer = writerOf(call, options, deps);
  const merge = (live: AnyObject | undefined, wanted: unknown) =>
    record(applyServerSide(writer, { live, applied: wanted, force: options.force }));
  const isThere = (await deps.objects.get(call.kind, call)) !== undefined;
  if (!isThere && call.subresource === '') {
    authorize(call.user, { ...call, verb: 'create' }, deps.cache);
    const metadata = { ...metadataIn(applied), name: call.name };
    const whole = merge(undefined, { ...applied, metadata });
    // Another may have made it meanwhile: then this one changes it.
    const creating = createFrom(call, { body: whole, options }, deps);
    const object = await creating.catch(ignoring('AlreadyExists'));
    if (object) return { ...answer(call, object, deps), code: 201 };
  }
  const change = (live: AnyObject) => merge(live, applied);
  return answer(call, await changeObject(call, deps, { options, change }), deps);
}

function appliedBody(call: Call, body: unknown): Readonly<Record<string, unknown>> {
  const applied = normalize(call.kind.schema, body);
  if (!isObject(applied) || !isObject(applied.metadata ?? {}))
    throw badRequest('an apply patch and its metadata must be objects');
  checkAddress(call, applied);
  return applied;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  if (!isObject(value)) throw badRequest('the patched object is no object any more');
  return value;
}

/** Who changes in other ways may go by the name of its program; who applies owns what it applies. */
const noManager = () =>
  new StatusError(
    'Invalid',
    'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
  );

const unknownPatch = (contentType: string, ...more: readonly string[]) =>
  new StatusError(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format "${contentType}": accepted media types are ${[jsonPatchType, 'application/merge-patch+json', ...more, applyType].join(', ')}`,
  );
