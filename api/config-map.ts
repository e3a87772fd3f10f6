import { count } from './columns.ts';
import * as field from './field-error.ts';
import { frozen } from './immutable.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { checkConfigMapKey } from './names.ts';
import * as s from './schema.ts';

const fields = {
  data: s.map(s.str(), { check: checkConfigMapKey }).doc('Text by key.'),
  binaryData: s.map(s.base64(), { check: checkConfigMapKey }).doc('Bytes by key, in base64.'),
  immutable: s.bool().doc('Never changes again once true.'),
};

export type ConfigMap = KubeObject<typeof fields>;

export const ConfigMap: Kind<typeof fields> = kind({
  kind: 'ConfigMap',
  shortNames: ['cm'],
  about: 'Configuration for pods to read, as environment or as files.',
  fields,
  validate: ({ data = {}, binaryData = {} }, at) =>
    field.errorsOf(
      Object.keys(binaryData)
        .filter((key) => Object.hasOwn(data, key))
        .map((key) => field.duplicate(at('binaryData')(key), key)),
      sizeOf(data, 'utf8') + sizeOf(binaryData, 'base64') > maxDataBytes &&
        field.tooLong(at('data'), maxDataBytes),
    ),
  validateUpdate: (next, previous, at) =>
    frozen({ next, previous }, ['data', 'binaryData', 'immutable'], at),
  columns: [
    count(
      'Data',
      'Number of keys.',
      (map) => Object.keys({ ...map.data, ...map.binaryData }).length,
    ),
  ],
});

/** Of a Secret, too. */
export const maxDataBytes = 1_048_576;

export const sizeOf = (data: Readonly<Record<string, string>>, encoding: 'utf8' | 'base64') =>
  Object.values(data).reduce((sum, one) => sum + Buffer.byteLength(one, encoding), 0);
