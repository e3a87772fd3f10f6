import { invalidField } from './field-error.ts';
import { formatSince } from './format-age.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { checkDnsSubdomain } from './names.ts';
import { objectReferenceFields } from './object-reference.ts';
import { defaulted, int, obj, required, str, time } from './schema.ts';

const fields = {
  involvedObject: required(obj(objectReferenceFields, { about: 'What it happened to.' })),
  reason: str({ about: 'One word, for programs: FailedScheduling.' }),
  message: str({ about: 'A sentence, for people.' }),
  type: str({ about: 'Normal or Warning.' }),
  source: defaulted(obj({ component: str(), host: str() }), {}),
  firstTimestamp: time(),
  lastTimestamp: time(),
  count: int({ min: 0, about: 'Times that it happened.' }),
  eventTime: time(),
  series: obj({ count: int(), lastObservedTime: time() }),
  action: str(),
  related: obj(objectReferenceFields),
  reportingComponent: defaulted(str(), ''),
  reportingInstance: defaulted(str(), ''),
};

export type Event = KubeObject<typeof fields>;

export const Event: Kind<typeof fields> = kind({
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  shortNames: ['ev'],
  namespaced: true,
  about: 'Something that happened to an object. Kept for an hour.',
  checkName: checkDnsSubdomain,
  fields,
  validate: ({ metadata, involvedObject }, at) =>
    (involvedObject.namespace ?? 'default') === metadata.namespace
      ? []
      : [
          invalidField(
            at('involvedObject')('namespace'),
            involvedObject.namespace ?? '',
            'does not match event.namespace',
          ),
        ],
  columns: [
    { name: 'Last Seen', type: 'string', about: 'Since it last happened.', of: lastSeen },
    { name: 'Type', type: 'string', about: 'Normal or Warning.', of: ({ type }) => type ?? '' },
    { name: 'Reason', type: 'string', about: 'In one word.', of: ({ reason }) => reason ?? '' },
    {
      name: 'Object',
      type: 'string',
      about: 'What it happened to.',
      of: ({ involvedObject: { kind = '', name = '' } }) => `${kind.toLowerCase()}/${name}`,
    },
    {
      name: 'Message',
      type: 'string',
      about: 'In a sentence.',
      of: ({ message }) => (message ?? '').trim(),
    },
    {
      name: 'Subobject',
      type: 'string',
      wide: true,
      about: 'The part of the object.',
      of: ({ involvedObject }) => involvedObject.fieldPath ?? '',
    },
    {
      name: 'Source',
      type: 'string',
      wide: true,
      about: 'Who says so.',
      of: ({ source, reportingComponent }) =>
        [source.component ?? reportingComponent, source.host].filter(Boolean).join(', '),
    },
    {
      name: 'Count',
      type: 'integer',
      wide: true,
      about: 'How often.',
      of: ({ count }) => count ?? 1,
    },
    {
      name: 'Name',
      type: 'string',
      wide: true,
      about: 'Unique within its namespace.',
      of: ({ metadata }) => metadata.name,
    },
    {
      name: 'Age',
      type: 'string',
      wide: true,
      about: 'Since it first happened.',
      of: ({ firstTimestamp, metadata }, now) =>
        formatSince(firstTimestamp ?? metadata.creationTimestamp, now),
    },
  ],
  selectableFields: {
    'involvedObject.kind': { of: ({ involvedObject }) => involvedObject.kind ?? '' },
    'involvedObject.namespace': { of: ({ involvedObject }) => involvedObject.namespace ?? '' },
    'involvedObject.name': { of: ({ involvedObject }) => involvedObject.name ?? '' },
    'involvedObject.uid': { of: ({ involvedObject }) => involvedObject.uid ?? '' },
    'involvedObject.apiVersion': { of: ({ involvedObject }) => involvedObject.apiVersion ?? '' },
    'involvedObject.resourceVersion': {
      of: ({ involvedObject }) => involvedObject.resourceVersion ?? '',
    },
    'involvedObject.fieldPath': { of: ({ involvedObject }) => involvedObject.fieldPath ?? '' },
    reason: { of: ({ reason }) => reason ?? '' },
    type: { of: ({ type }) => type ?? '' },
    source: { of: ({ source, reportingComponent }) => source.component ?? reportingComponent },
    reportingComponent: { of: ({ reportingComponent }) => reportingComponent },
  },
});

function lastSeen(
  { lastTimestamp, series, eventTime, firstTimestamp }: Event,
  now: number,
): string {
  return formatSince(series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? firstTimestamp, now);
}
