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
  columns: [],
});
