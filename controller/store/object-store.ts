import { fieldPath, invalid as invalidField } from '../../api/field-error.ts';
import type { AnyObject, Claim, Kind, KubeObject, NewObject } from '../../api/kind.ts';
import type { Fields } from '../../api/schema.ts';
import { alreadyExists, conflict, invalid, notFound, StatusError } from '../../api/status.ts';
import type { Clock } from '../../base/clock.ts';
import type { Rng } from '../../base/rng.ts';
import { isFinished, planDeletion } from './deletion.ts';
import { claimKey, keyOf, storeKey } from './keys.ts';
import { newObject, nextObject } from './next-object.ts';
import { type ObjectCodec, withRevision } from './object-codec.ts';
import type { DeleteOptions, DeleteOutcome, ObjectKey, Objects, Part } from './objects.ts';
import { checkPreconditions, checkUnchanged, modifiedMeanwhile } from './preconditions.ts';
import { type Store, StoreError, type Transaction } from './store.ts';

export interface ObjectStoreDeps {
  readonly store: Pick<Store, 'get' | 'commit'>;
  readonly codec: ObjectCodec;
  readonly clock: Clock;
  readonly rng: Rng;
}

/** A compare-and-swap that loses this often in a row means that two writers fight. */
const maxTries = 10;

/** The {@link Objects} of a store. */
export function openObjects(deps: ObjectStoreDeps): Objects {
  return {
    get: (kind, key) => read(deps, kind, key),
    create: (kind, object) => create(deps, kind, object),
    update: (kind, object, part) => update(deps, { kind, wanted: object, part }),
    modify: (kind, { key, part }, change) => modify(deps, { kind, key, part, change }),
    delete: (kind, key, options = {}) => remove(deps, { kind, key, options }),
  };
}

/** The codec hands out what was stored as this kind: the one place where bytes become a type. */
async function read<F extends Fields>(
  { store, codec }: ObjectStoreDeps,
  kind: Kind<F>,
  key: ObjectKey,
): Promise<KubeObject<F> | undefined> {
  const entry = await reached(store.get(storeKey(kind, key)));
  return entry && typed(kind, codec.decode(kind, entry));
}

const typed = <F extends Fields>(_: Kind<F>, object: unknown) => object as KubeObject<F>;

async function create<F extends Fields>(
  deps: ObjectStoreDeps,
  kind: Kind<F>,
  wanted: NewObject<F>,
): Promise<KubeObject<F>> {
  for (let tries = 1; ; tries++) {
    const object = newObject(deps, kind, wanted);
    const written = await write(deps, { kind, previous: undefined, next: object });
    if (written) return typed(kind, written);
    if (wanted.metadata.name || tries === maxTries) throw alreadyExists(kind, object.metadata.name);
  }
}

interface UpdateRequest<F extends Fields> {
  readonly kind: Kind<F>;
  readonly wanted: KubeObject<F>;
  readonly part: Part;
}

async function update<F extends Fields>(
  deps: ObjectStoreDeps,
  { kind, wanted, part }: UpdateRequest<F>,
): Promise<KubeObject<F>> {
  const { name, namespace = '' } = wanted.metadata;
  const stored = await read(deps, kind, { namespace, name });
  if (!stored) throw notFound(kind, name);
  return replace(deps, stored, { kind, wanted, part });
}

async function replace<F extends Fields>(
  deps: ObjectStoreDeps,
  stored: KubeObject<F>,
  { kind, wanted, part }: UpdateRequest<F>,
): Promise<KubeObject<F>> {
  checkUnchanged(kind, stored, wanted.metadata);
  const next = nextObject(kind, stored, { wanted, part });
  if (next === stored) return stored;
  const isLast = isFinished(kind, next);
  const written = await write(deps, { kind, previous: stored, next, isLast });
  if (!written) throw conflict(kind, next.metadata.name, modifiedMeanwhile);
  return typed(kind, written);
}

interface ModifyRequest<F extends Fields> {
  readonly kind: Kind<F>;
  readonly key: ObjectKey;
  readonly part: Part;
  readonly change: (object: KubeObject<F>) => KubeObject<F> | undefined;
}

async function modify<F extends Fields>(
  deps: ObjectStoreDeps,
  { kind, key, part, change }: ModifyRequest<F>,
): Promise<KubeObject<F> | undefined> {
  return again(async () => {
    const stored = await read(deps, kind, key);
    const wanted = stored && change(stored);
    return wanted ? replace(deps, stored, { kind, wanted, part }) : stored;
  });
}

interface DeleteRequest<F extends Fields> {
  readonly kind: Kind<F>;
  readonly key: ObjectKey;
  readonly options: DeleteOptions;
}

async function remove<F extends Fields>(
  deps: ObjectStoreDeps,
  { kind, key, options }: DeleteRequest<F>,
): Promise<DeleteOutcome<F>> {
  return again(async () => {
    const object = await read(deps, kind, key);
    if (!object) return { outcome: 'absent' };
    checkPreconditions(kind, object, options);
    const planned = planDeletion({ kind, object, options, now: deps.clock.now() });
    if (planned.plan === 'keep') return { outcome: 'marked', object };
    const isLast = planned.plan === 'remove';
    const next = isLast ? object : planned.object;
    const written = await write(deps, { kind, previous: object, next, isLast });
    if (!written) throw conflict(kind, key.name, modifiedMeanwhile);
    return { outcome: isLast ? 'removed' : 'marked', object: typed(kind, written) };
  });
}

async function again<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      const lost = error instanceof StatusError && error.message.endsWith(modifiedMeanwhile);
      if (!lost || tries === maxTries) throw error;
    }
  }
}

interface Write {
  readonly kind: Kind;
  /** undefined: to be created. */
  readonly previous: AnyObject | undefined;
  readonly next: AnyObject;
  /** It is to have been like this in the end: it goes. */
  readonly isLast?: boolean;
}

/** undefined: someone else was faster. */
async function write(deps: ObjectStoreDeps, write: Write): Promise<AnyObject | undefined> {
  const { kind, previous, next, isLast = false } = write;
  const key = storeKey(kind, keyOf(next));
  const claims = claimChanges(
    key,
    previous ? kind.claims(known(previous)) : [],
    isLast ? [] : kind.claims(known(next)),
  );
  const put = isLast ? [] : [{ key, value: deps.codec.encode(kind, key, next) }];
  const transaction = {
    expect: [{ key, revision: Number(previous?.metadata.resourceVersion ?? 0) }, ...claims.expect],
    puts: [...put, ...claims.puts],
    deletes: isLast ? [key, ...claims.deletes] : claims.deletes,
  };
  const outcome = await reached(deps.store.commit(transaction));
  if (outcome.committed) return withRevision(next, outcome.revision);
  if (outcome.key === key) return undefined;
  throw taken(kind, next, outcome.key);
}

/** The object goes with its claims: all are free and become ours, or nothing is written. */
function claimChanges(
  owner: string,
  before: readonly Claim[],
  after: readonly Claim[],
): Transaction {
  const held = before.map((claim) => claimKey(claim.key));
  const wanted = after.map((claim) => claimKey(claim.key));
  const fresh = wanted.filter((key) => !held.includes(key));
  const value = new TextEncoder().encode(owner);
  return {
    expect: fresh.map((key) => ({ key, revision: 0 })),
    puts: fresh.map((key) => ({ key, value })),
    deletes: held.filter((key) => !wanted.includes(key)),
  };
}

function taken(kind: Kind, object: AnyObject, key: string): StatusError {
  const claim = kind.claims(known(object)).find((candidate) => claimKey(candidate.key) === key);
  const text = claim?.key.slice(claim.key.indexOf('/') + 1) ?? '';
  const value = key.startsWith(nodePortPrefix) ? Number(text) : text;
  return invalid(kind, object.metadata.name, [
    invalidField(fieldPath(claim?.path), value, whyTaken(key)),
  ]);
}

const nodePortPrefix = claimKey('node-port/');

function whyTaken(key: string): string {
  if (key.startsWith(nodePortPrefix)) return 'provided port is already allocated';
  return key.startsWith(claimKey('service-ip/'))
    ? 'provided IP is already allocated'
    : 'another object has it already';
}

const known = (object: unknown) => object as KubeObject;

/** The store's failures in the API's words. */
async function reached<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (cause) {
    if (!(cause instanceof StoreError)) throw cause;
    const reason = cause.reason === 'TooLarge' ? 'RequestEntityTooLarge' : 'ServiceUnavailable';
    throw new StatusError(reason, `the store failed: ${cause.message}`, { cause });
  }
}
