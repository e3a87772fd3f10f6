import type { AnyObject, Kind, NewObject } from '../../api/kind.ts';
import { isObject } from '../../api/normalize.ts';
import { parseObject } from '../../api/prepare.ts';
import type { Fields } from '../../api/schema.ts';
import { alreadyExists } from '../../api/status.ts';
import { admit, pretendWrite } from '../admission/admit.ts';
import { keyOf } from '../store/keys.ts';
import { newObject } from '../store/next-object.ts';
import { withAllocations, writeAllocated } from './allocate-service.ts';
import type { Answer, ApiServerDeps, Call } from './call.ts';
import { accepted, answer, bodyOf, checkNamespace, metadataIn, writerOf } from './call.ts';
import { checkEscalation } from './escalation.ts';
import { managedAfter } from './patch/managed-fields.ts';
import { asText, type WriteOptions, writeOptions } from './request-options.ts';

export async function createObject(call: Call, deps: ApiServerDeps): Promise<Answer> {
  const body = bodyOf(call);
  const options = writeOptions(call);
  const object = await createFrom(call, { body, options }, deps);
  return { ...answer(call, object, deps), code: 201 };
}

/** Also how server-side apply makes what isn't there yet. */
export async function createFrom(
  call: Call,
  { body, options }: { body: Readonly<Record<string, unknown>>; options: WriteOptions },
  deps: ApiServerDeps,
): Promise<AnyObject> {
  const { kind, namespace } = call;
  const { fieldValidation } = options;
  const name = shownName(body);
  const parsed = parseObject(kind, withoutServerFields(kind, body), { namespace, fieldValidation });
  const draft = accepted(call, name, parsed);
  await checkNamespace(call, name, deps);
  const candidate = { kind, object: draft, shownName: name };
  const { object, alongside } = await admit(candidate, deps);
  await checkEscalation(call, { object, shownName: name }, deps);
  const managedFields = managedAfter(writerOf(call, options, deps), { wanted: body, next: object });
  const wanted = { kind, object: { ...object, metadata: { ...object.metadata, managedFields } } };
  if (options.dryRun) {
    pretendWrite(alongside, deps);
    return pretended(kind, withAllocations(wanted, deps), deps);
  }
  const objects = deps.objects.alongside(alongside);
  return writeAllocated(wanted, deps, (whole) => objects.create(kind, whole));
}

/** What only the server writes: the status, and the metadata that says who and when. */
function withoutServerFields(kind: Kind, body: Readonly<Record<string, unknown>>) {
  const { status: _, ...rest } = body;
  const given = kind.hasStatus ? rest : body;
  if (!isObject(given.metadata)) return given;
  const { uid: _u, resourceVersion: _r, creationTimestamp: _c, ...metadata } = given.metadata;
  return { ...given, metadata };
}

function shownName(body: Readonly<Record<string, unknown>>): string {
  const { name, generateName = '' } = metadataIn(body);
  return asText(name ?? generateName);
}

/** As it would be stored, but for its resourceVersion. */
function pretended(kind: Kind, draft: NewObject<Fields>, deps: ApiServerDeps): AnyObject {
  const object = newObject(deps, kind, draft);
  if (deps.cache.get(kind, keyOf(object))) throw alreadyExists(kind, object.metadata.name);
  return object;
}
