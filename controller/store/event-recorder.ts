import { createHash } from 'node:crypto';
import { Event } from '../../api/event.ts';
import type { AnyObject } from '../../api/kind.ts';
import type { ObjectReference } from '../../api/object-reference.ts';
import { hasReason } from '../../api/status.ts';
import { type Clock, formatTime } from '../../base/clock.ts';
import { isNamespaceOpen } from './deletion.ts';
import type { LoopDeps } from './loop.ts';

/** Something that happened to an object, for people: `kubectl describe`, `kubectl events`. */
export interface Happening {
  readonly involved: AnyObject | ObjectReference;
  readonly type: 'Normal' | 'Warning';
  /** One word, Kubernetes' where it has one: FailedScheduling, ScalingReplicaSet … */
  readonly reason: string;
  readonly message: string;
  /** Who says so: "deployment-controller". */
  readonly component: string;
}

/** Never fails and never waits: an event that can't be written is logged. */
export type RecordEvent = (happening: Happening) => void;

/** What one component has to tell. */
export type OwnEvents = ReturnType<typeof ownEvents>;

export function ownEvents(component: string, record: RecordEvent) {
  const tell =
    (type: Happening['type']) => (involved: AnyObject, reason: string, message: string) =>
      record({ involved, type, reason, message, component });
  return { normal: tell('Normal'), warning: tell('Warning') };
}

type RecorderDeps = Pick<LoopDeps, 'objects' | 'cache' | 'clock' | 'log'>;
/** The same again within this time is counted here and written once. */
const repeatWindowMs = 1000;

/**
 * The name of an Event says what happened to whom, so that the same again, even from another process, counts up the
 * one that is there.
 */
export function eventRecorder({ objects, cache, clock, log }: RecorderDeps): RecordEvent {
  const repeats = new Map<string, number>();
  const distinct = distinctHappenings(clock);

  const write = async (happening: Happening, count: number) => {
    const event = newEvent(happening, formatTime(clock.now()), count);
    const again = () =>
      objects.modify(Event, { key: event.metadata, part: 'all' }, (stored) => ({
        ...stored,
        count: (stored.count ?? 1) + count,
        lastTimestamp: event.lastTimestamp,
      }));
    try {
      if (await again()) return;
      await objects.create(Event, event);
    } catch (error) {
      if (!hasReason(error, 'AlreadyExists')) throw error;
      await again();
    }
  };
  const writeLogged = (happening: Happening, count: number) => {
    write(happening, count).catch((err: unknown) => {
      log.warn({ err, reason: happening.reason }, 'an event could not be written');
    });
  };

  return (told) => {
    // One that is gone keeps none.
    if (!isNamespaceOpen(cache, namespaceOf(referenceTo(told.involved)))) return;
    const happening = distinct(told);
    const id = eventName(happening);
    const waiting = repeats.get(id);
    if (waiting !== undefined) {
      repeats.set(id, waiting + 1);
      return;
    }
    repeats.set(id, 0);
    writeLogged(happening, 1);
    clock.after(repeatWindowMs, () => {
      const count = repeats.get(id) ?? 0;
      repeats.delete(id);
      if (count > 0) writeLogged(happening, count);
    });
  };
}

/** So many different Events of one object are kept; then those of a reason count up one. Kubernetes: a burst of 25. */
const maxDistinct = 25;
const forgetEveryMs = 60 * 60_000;

/** Bounds what an object that always has something new to say (an error with a time in it) adds to the store. */
function distinctHappenings(clock: Clock): (happening: Happening) => Happening {
  const names = new Map<string, Set<string>>();
  let forgottenAt = clock.monotonic();
  return (happening) => {
    if (clock.monotonic() - forgottenAt > forgetEveryMs) {
      forgottenAt = clock.monotonic();
      names.clear();
    }
    const { kind, uid, name: involved } = referenceTo(happening.involved);
    const object = `${kind}/${uid ?? involved}`;
    const known = names.getOrInsertComputed(object, () => new Set());
    const name = eventName(happening);
    if (known.size >= maxDistinct && !known.has(name))
      return { ...happening, message: '(combined from similar events)' };
    known.add(name);
    return happening;
  };
}

function newEvent(happening: Happening, now: string, count: number) {
  const { type, reason, message, component } = happening;
  const involvedObject = referenceTo(happening.involved);
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: eventName(happening), namespace: namespaceOf(involvedObject) },
    involvedObject,
    type,
    reason,
    message,
    count,
    firstTimestamp: now,
    lastTimestamp: now,
    source: { component },
    reportingComponent: component,
    reportingInstance: '',
  };
}

/** What is in no namespace has its events in the default one. */
const namespaceOf = ({ namespace }: ObjectReference) => namespace || 'default';

function referenceTo(involved: AnyObject | ObjectReference): ObjectReference {
  if (!('metadata' in involved)) return involved;
  const { apiVersion, kind, metadata } = involved;
  const { name, namespace, uid, resourceVersion } = metadata;
  return { apiVersion, kind, name, ...(namespace ? { namespace } : {}), uid, resourceVersion };
}

function eventName(happening: Happening): string {
  const { type, reason, message, component } = happening;
  const { name = '', uid, fieldPath } = referenceTo(happening.involved);
  const what = JSON.stringify([uid, fieldPath, type, reason, message, component]);
  const digest = createHash('sha256').update(what).digest('hex').slice(0, 16);
  return `${name.slice(0, 230)}.${digest}`;
}
