import { count, nameColumn, text, wide } from './columns.ts';
import * as field from './field-error.ts';
import { formatSince } from './format-age.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { objectReferenceFields } from './object-reference.ts';
import * as s from './schema.ts';

const fields = {
  involvedObject: s.obj(objectReferenceFields).doc('What it happened to.').required(),
  reason: s.str().doc('One word, for programs: FailedScheduling.'),
  message: s.str().doc('A sentence, for people.'),
  type: s.str().doc('Normal or Warning.'),
  source: s.obj({ component: s.str(), host: s.str() }).default({}),
  ...s.all(s.time(), 'firstTimestamp', 'lastTimestamp'),
  count: s.int({ min: 0 }).doc('Times that it happened.'),
  eventTime: s.microTime(),
  series: s.obj({ count: s.int(), lastObservedTime: s.microTime() }),
  action: s.str(),
  related: s.obj(objectReferenceFields),
  ...s.all(s.str().default(''), 'reportingComponent', 'reportingInstance'),
};

export type Event = KubeObject<typeof fields>;

export const Event: Kind<typeof fields> = kind({
  kind: 'Event',
  shortNames: ['ev'],
  about: 'Something that happened to an object. Kept for an hour.',
  fields,
  validate: ({ metadata, involvedObject: { namespace } }, at) => {
    const path = at('involvedObject')('namespace');
    const isSame = (namespace ?? 'default') === metadata.namespace;
    return isSame ? [] : [field.invalid(path, namespace ?? '', 'does not match event.namespace')];
  },
  columns: [
    text('Last Seen', 'Since it last happened.', lastSeen),
    text('Type', 'Normal or Warning.', ({ type }) => type),
    text('Reason', 'In one word.', ({ reason }) => reason),
    text('Object', 'What it happened to.', objectWord),
    text('Message', 'In a sentence.', ({ message }) => message?.trim()),
    wide(text('Subobject', 'The part of the object.', (event) => event.involvedObject.fieldPath)),
    wide(text('Source', 'Who says so.', sourceWord)),
    wide(count('Count', 'How often.', ({ count }) => count ?? 1)),
    wide(nameColumn),
    wide(text('Age', 'Since it first happened.', firstSeen)),
  ],
  selectableFields: {
    'involvedObject.kind': ({ involvedObject }) => involvedObject.kind,
    'involvedObject.namespace': ({ involvedObject }) => involvedObject.namespace,
    'involvedObject.name': ({ involvedObject }) => involvedObject.name,
    'involvedObject.uid': ({ involvedObject }) => involvedObject.uid,
    'involvedObject.apiVersion': ({ involvedObject }) => involvedObject.apiVersion,
    'involvedObject.resourceVersion': ({ involvedObject }) => involvedObject.resourceVersion,
    'involvedObject.fieldPath': ({ involvedObject }) => involvedObject.fieldPath,
    reason: ({ reason }) => reason,
    type: ({ type }) => type,
    source: ({ source, reportingComponent }) => source.component ?? reportingComponent,
    reportingComponent: ({ reportingComponent }) => reportingComponent,
  },
});

/** undefined: its writer doesn't say. */
const toldTime = ({ lastTimestamp, series, eventTime, firstTimestamp }: Event) =>
  series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? firstTimestamp;

/** When it last happened. */
export const lastHappened = (event: Event): string =>
  toldTime(event) ?? event.metadata.creationTimestamp;

function lastSeen(event: Event, now: number): string {
  return formatSince(toldTime(event), now);
}

function firstSeen({ firstTimestamp, metadata }: Event, now: number): string {
  return formatSince(firstTimestamp ?? metadata.creationTimestamp, now);
}

function objectWord({ involvedObject: { kind = '', name = '' } }: Event): string {
  return `${kind.toLowerCase()}/${name}`;
}

function sourceWord({ source, reportingComponent }: Event): string {
  return [source.component ?? reportingComponent, source.host].filter(Boolean).join(', ');
}
