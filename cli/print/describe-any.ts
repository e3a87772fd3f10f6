import { stringify } from 'yaml';
import type { Event } from '../../api/event.ts';
import { formatSince } from '../../api/format-age.ts';
import type { AnyObject } from '../../api/kind.ts';
import { eventTime } from '../object-events.ts';
import type { Fact, Section } from './sections.ts';

/** What a description is made of: the object, what belongs to it, and the time. */
export interface Described<T extends AnyObject> {
  readonly object: T;
  /** Sorted. */
  readonly events: readonly Event[];
  readonly now: number;
}

/** A kind without a description of its own: what everything has, and the rest as YAML. Pure. */
export function describeAny({ object, events, now }: Described<AnyObject>): readonly Section[] {
  const { apiVersion: _a, kind: _k, metadata: _m, ...rest } = object;
  const text = stringify(rest, { lineWidth: 0 }).trimEnd();
  return [
    { facts: commonFacts(object, now) },
    { title: 'CONTENT', lines: text === '{}' ? [] : text.split('\n') },
    eventSection(events, now),
  ];
}

/** Labels, annotations, owner, age: of any object. */
export function commonFacts({ metadata }: AnyObject, now: number): readonly Fact[] {
  const { labels = {}, annotations = {}, ownerReferences = [], deletionTimestamp } = metadata;
  const owner = ownerReferences.find(({ controller }) => controller);
  return [
    ['labels', pairs(labels)],
    ['annotations', pairs(annotations)],
    ['owner', owner && `${owner.kind.toLowerCase()}/${owner.name}`],
    ['created', `${formatSince(metadata.creationTimestamp, now)} ago`],
    ['deleted', deletionTimestamp && `${formatSince(deletionTimestamp, now)} ago, still ending`],
  ];
}

const longest = 120;

export const pairs = (map: Readonly<Record<string, string>>): string =>
  Object.entries(map)
    .filter(([, value]) => value.length <= longest)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n');

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly lastTransitionTime?: string | undefined;
}

export const conditionSection = (
  conditions: readonly Condition[] | undefined,
  now: number,
): Section => ({
  title: 'CONDITIONS',
  table: {
    headers: ['CONDITION', 'STATUS', 'SINCE', 'REASON', 'MESSAGE'],
    rows: (conditions ?? []).map(({ type, status, reason, message, lastTransitionTime }) => [
      type,
      status,
      lastTransitionTime === undefined ? '' : formatSince(lastTransitionTime, now),
      reason ?? '',
      message ?? '',
    ]),
  },
});

export const eventSection = (events: readonly Event[], now: number): Section => ({
  title: 'EVENTS',
  table: {
    headers: ['AGE', 'TYPE', 'REASON', 'FROM', 'MESSAGE'],
    rows: events.map((event) => [
      formatSince(eventTime(event), now),
      event.type ?? '',
      event.reason ?? '',
      [event.source.component ?? event.reportingComponent, event.source.host]
        .filter(Boolean)
        .join(', '),
      `${(event.message ?? '').trim()}${(event.count ?? 1) > 1 ? ` (${event.count} times)` : ''}`,
    ]),
  },
});
