import * as field from '../../api/field-error.ts';
import type { AnyObject, Claim, Kind, KubeObject } from '../../api/kind.ts';
import type { Fields } from '../../api/schema.ts';
import { alreadyExists, conflict, invalid, notFound, StatusError } from '../../api/status.ts';
import type { Base } from '../../base/base.ts';
import { openTurns } from '../../base/turns.ts';
import { isFinished, planDeletion } from './deletion.ts';
import { claimKey, formatKey, keyOf, storeKey } from './keys.ts';
import { newObject, nextObject, type Update } from './next-object.ts';
import { type ObjectCodec, withRevision } from './object-codec.ts';
import type { Alongside, ObjectKey, Objects, TiedObjects } from './objects.ts';
import { checkPreconditions, checkUnchanged, modifiedMeanwhile } from './preconditions.ts';
import { type Store, StoreError } from './store.ts';

export interface ObjectStoreDeps extends Pick<Base, 'clock' | 'rng'> {
  readonly store: Pick<Store, 'get' | 'commit'>;
  readonly codec: ObjectCodec;
}

/** A compare-and-swap that loses this often in a row means that two writers fight. */
const maxTries = 10;

/** The {@link Objects} of a store. */
export function openObjects(deps: ObjectStoreDeps): TiedObjects {
  // Or a burst of writes would find most of the time that another one has just changed what they all change. Each
  // waits for the disk, though: 2,000 pods in a namespace with a quota took 12 s, without one 1.1 s (SQLite, 2 cores).
  const inTurn = openTurns();
  const alongside = (others: readonly Alongside[]) => objectsOver({ ...deps, others, inTurn });
  return { ...alongside([]), alongside };
}

interface WriterDeps extends ObjectStoreDeps {
  readonly others: readonly Alongside[];
  readonly inTurn: ReturnType<typeof openTurns>;
}

function objectsOver(deps: WriterDeps): Objects {
  const read = async <F extends Fields>(kind: Kind<F>, key: ObjectKey) => {
    const entry = await reached(deps.store.get(storeKey(kind, key)));
    return entry && typed(kind, deps.codec.decode(kind, entry));
  };
  const replace = async <F extends Fields>(
    kind: Kind<F>,
    stored: KubeObject<F>,
    update: Update<KubeObject<F>>,
  ) => {
    checkUnchanged(kind, stored, update.wanted.metadata);
    const next = nextObject(kind, stored, update);
    if (next === stored) return stored;
    const isLast = isFinished(kind, next);
    const written = await write(deps, { kind, previous: stored, next, isLast });
    if (!written) throw conflict(kind, next.metadata.name, modifiedMeanwhile);
    return written;
  };
  return {
    get: read,
    async create(kind, wanted) {
      for (let tries = 1; ; tries++) {
        const next = newObject(deps, kind, wanted);
        const written = await write(deps, { kind, previous: undefined, next });
        if (written) return written;
        if (wanted.metadata.name || tries === maxTries)
          throw alreadyExists(kind, next.metadata.name);
      }
    },
    async update(kind, wanted, part) {
      const stored = await read(kind, keyOf(wanted));
      if (!stored) throw notFound(kind, wanted.metadata.name);
      return replace(kind, stored, { wanted, part });
    },
    modify: (kind, { key, part }, change) =>
      again(async () => {
        const stored = await read(kind, key);
        const wanted = stored && change(stored);
        return wanted ? replace(kind, stored, { wanted, part }) : stored;
      }),
    delete: (kind, key, options = {}) =>
      again(async () => {
        const object = await read(kind, key);
        if (!object) return { outcome: 'absent' };
        checkPreconditions(kind, object, options);
        const planned = planDeletion({ kind, object, options, now: deps.clock.now() });
        if (planned.plan === 'keep') return { outcome: 'marked', object };
        const isLast = planned.plan === 'remove';
        const next = isLast ? object : planned.object;
        const written = await write(deps, { kind, previous: object, next, isLast });
        if (!written) throw conflict(kind, key.name, modifiedMeanwhile);
        return { outcome: isLast ? 'removed' : 'marked', object: written };
      }),
  };
}

/** The codec hands out what was stored as this kind: the one place where bytes become a type. */
const typed = <F extends Fields>(_: Kind<F>, object: unknown) => object as KubeObject<F>;

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

interface Write<F extends Fields> {
  readonly kind: Kind<F>;
  /** undefined: to be created. */
  readonly previous: AnyObject | undefined;
  readonly next: AnyObject;
  /** It is to have been like this in the end: it goes. */
  readonly isLast?: boolean;
}

/** With several controllers, each of which lets its own writers go one after the other. */
const maxOtherTries = 50;

/** undefined: someone else was faster. */
async function write<F extends Fields>(deps: WriterDeps, write: Write<F>) {
  const [first] = deps.others;
  if (!first) return (await writeOnce(deps, write)).written;
  return deps.inTurn(formatKey(first.key), async () => {
    for (let tries = 1; ; tries++) {
      const { written, lostOther } = await writeOnce(deps, write);
      if (!lostOther) return written;
      if (tries === maxOtherTries) throw conflict(first.kind, first.key.name, modifiedMeanwhile);
    }
  });
}

/** The object goes with its claims: all are free and become ours, or nothing is written. */
async function writeOnce<F extends Fields>(deps: WriterDeps, write: Write<F>) {
  const { kind, previous, next, isLast = false } = write;
  const key = storeKey(kind, keyOf(next));
  const held = previous ? keysOf(kind.claims(typed(kind, previous))) : [];
  const wanted = isLast ? [] : keysOf(kind.claims(typed(kind, next)));
  const fresh = wanted.filter((claim) => !held.includes(claim));
  const owner = new TextEncoder().encode(key);
  const others = await changedOthers(deps);
  const put = isLast ? [] : [{ key, value: deps.codec.encode(kind, key, next) }];
  const transaction = {
    expect: [
      { key, revision: Number(previous?.metadata.resourceVersion ?? 0) },
      ...fresh.map((claim) => ({ key: claim, revision: 0 })),
      ...others.map(({ key, revision }) => ({ key, revision })),
    ],
    puts: [...put, ...fresh.map((claim) => ({ key: claim, value: owner })), ...others],
    deletes: [...(isLast ? [key] : []), ...held.filter((claim) => !wanted.includes(claim))],
  };
  const outcome = await reached(deps.store.commit(transaction));
  if (outcome.committed) return { written: typed(kind, withRevision(next, outcome.revision)) };
  if (outcome.key === key) return { written: undefined };
  if (others.some((other) => other.key === outcome.key)) return { lostOther: true };
  throw taken(kind, next, outcome.key);
}

async function changedOthers({ store, codec, others }: WriterDeps) {
  const changes = others.map(async ({ kind, key: { namespace, name }, change }) => {
    const key = storeKey(kind, { namespace, name });
    const entry = await reached(store.get(key));
    const stored = entry && typed(kind, codec.decode(kind, entry));
    const wanted = stored && change(stored);
    if (!wanted) return [];
    const next = nextObject(kind, stored, { wanted, part: 'all' });
    return [{ key, revision: entry.revision, value: codec.encode(kind, key, next) }];
  });
  return (await Promise.all(changes)).flat();
}

const keysOf = (claims: readonly Claim[]) => claims.map(({ key }) => claimKey(key));

function taken<F extends Fields>(kind: Kind<F>, object: AnyObject, key: string): StatusError {
  const claim = kind.claims(typed(kind, object)).find((one) => claimKey(one.key) === key);
  const [, what = '', text = ''] = /^([^/]*)\/(.*)$/.exec(claim?.key ?? '') ?? [];
  const value = what === 'node-port' ? Number(text) : text;
  const why = whyTaken[what] ?? 'another object has it already';
  return invalid(kind, object.metadata.name, [
    field.invalid(field.fieldPath(claim?.path), value, why),
  ]);
}

const whyTaken: Readonly<Record<string, string>> = {
  'node-port': 'provided port is already allocated',
  'priority-class': 'Only one default can exist',
  'service-ip': 'provided IP is already allocated',
};

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
