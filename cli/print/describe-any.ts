import { stringify } from 'yaml';
import type { Condition } from '../../api/condition.ts';
import { type Event, lastHappened } from '../../api/event.ts';
import { formatSince } from '../../api/format-age.ts';
import type { AnyObject } from '../../api/kind.ts';
import { eventMessage } from '../object-events.ts';
import type { Description, Fact, Section } from './sections.ts';

/** A kind without a description of its own: the rest of it as YAML. Pure. */
export function describeAny(object: AnyObject): Description {
  const { apiVersion: _a, kind: _k, metadata: _m, ...rest } = object;
  const text = stringify(rest, { lineWidth: 0 }).trimEnd();
  const lines = text === '{}' ? [] : text.split('\n');
  return { facts: [], sections: [{ title: 'CONTENT', lines }] };
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

export const conditionSection = (conditions: readonly Condition[] = [], now: number): Section => ({
  title: 'CONDITIONS',
  headers: ['CONDITION', 'STATUS', 'SINCE', 'REASON', 'MESSAGE'],
  rows: conditions.map(({ type, status, reason, message, lastTransitionTime: since }) => [
    ...[type, status, since && formatSince(since, now), reason, message],
  ]),
});

export const eventSection = (events: readonly Event[], now: number): Section => ({
  title: 'EVENTS',
  headers: ['AGE', 'TYPE', 'REASON', 'FROM', 'MESSAGE'],
  rows: events.map((event) => {
    const { type, reason, source, reportingComponent } = event;
    const from = [source.component ?? reportingComponent, source.host].filter(Boolean).join(', ');
    return [formatSince(lastHappened(event), now), type, reason, from, eventMessage(event)];
  }),
});
