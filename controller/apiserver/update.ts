import type { AnyObject, KubeObject } from '../../api/kind.ts';
import { parseUpdate } from '../../api/prepare.ts';
import { found, hasReason, StatusError } from '../../api/status.ts';
import { admit, pretendWrite } from '../admission/admit.ts';
import { nextObject, ownedPart } from '../store/next-object.ts';
import { withAllocations, writeAllocated } from './allocate-service.ts';
import type { Answer, ApiServerDeps, Call } from './call.ts';
import { accepted, answer, bodyOf, checkIdentity, writerOf } from './call.ts';
import { checkEscalation } from './escalation.ts';
import { managedAfter } from './patch/managed-fields.ts';
import { type WriteOptions, writeOptions } from './request-options.ts';

export async function replaceObject(call: Call, deps: ApiServerDeps): Promise<Answer> {
  const body = bodyOf(call);
  const options = writeOptions(call);
  const object = await changeObject(call, deps, { options, change: () => body });
  return answer(call, object, deps);
}

/** Which part of the object the URL is about: the other one stays as it is. */
const partOf = ({ subresource }: Call): 'main' | 'status' =>
  subresource === 'status' ? 'status' : 'main';

interface Change {
  readonly options: WriteOptions;
  /** The object as wanted, from the stored one; given again what is stored when someone else was faster. Pure. */
  readonly change: (live: AnyObject) => Readonly<Record<string, unknown>>;
}

/** With many writers at once every round lets one through. */
const maxTries = 30;

/**
 * Read, change, check, compare-and-swap. A resourceVersion in the wanted object must be the stored one; without, what
 * others write in between is changed in its turn.
 */
export async function changeObject(call: Call, deps: ApiServerDeps, change: Change) {
  for (let tries = 1; ; tries++) {
    const live = found(call.kind, call.name, await deps.objects.get(call.kind, call));
    try {
      return await changeOnce(call, deps, { ...change, live });
    } catch (error) {
      if (!(error instanceof Outrun) || tries === maxTries) throw error;
    }
  }
}

/** The stored object changed between reading and writing: worth another try. */
class Outrun extends StatusError {}

async function changeOnce(
  call: Call,
  deps: ApiServerDeps,
  { options, change, live }: Change & { readonly live: KubeObject },
): Promise<AnyObject> {
  const wanted = change(live);
  const { kind } = call;
  const part = partOf(call);
  checkIdentity(kind, live, wanted);
  const parsed = parseUpdate(kind, ownedPart<typeof wanted>(kind, live, { wanted, part }), {
    previous: live,
    fieldValidation: options.fieldValidation,
  });
  const candidate = { kind, previous: live, shownName: call.name };
  const draft = accepted(call, call.name, parsed);
  const { object: next, alongside } = await admit({ ...candidate, object: draft }, deps);
  const owned = ownedPart<AnyObject>(kind, live, { wanted: next as AnyObject, part });
  const { resourceVersion, uid } = live.metadata;
  const managedFields = managedAfter(writerOf(call, options, deps), { live, wanted, next: owned });
  const object = { ...owned, metadata: { ...owned.metadata, resourceVersion, uid, managedFields } };
  await checkEscalation(call, { object, previous: live, shownName: call.name }, deps);
  const whole = { kind, object, previous: live };
  if (options.dryRun) {
    pretendWrite(alongside, deps);
    return nextObject(kind, live, { wanted: withAllocations(whole, deps), part: 'all' });
  }
  const objects = deps.objects.alongside(alongside);
  try {
    return await writeAllocated(whole, deps, (next) => objects.update(kind, next, 'all'));
  } catch (error) {
    if (!hasReason(error, 'Conflict')) throw error;
    throw new Outrun('Conflict', error.message, { cause: error, details: error.details });
  }
}
