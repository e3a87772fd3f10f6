import { duplicateField, type FieldError, type FieldPath, forbiddenField } from './field-error.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { checkConfigMapKey, checkDnsSubdomain } from './names.ts';
import { base64, bool, map, str } from './schema.ts';

const fields = {
  data: map(str(), { check: checkConfigMapKey, about: 'Text by key.' }),
  binaryData: map(base64(), { check: checkConfigMapKey, about: 'Bytes by key, in base64.' }),
  immutable: bool({ about: 'Never changes again once true.' }),
};

export type ConfigMap = KubeObject<typeof fields>;

export const ConfigMap: Kind<typeof fields> = kind({
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  shortNames: ['cm'],
  namespaced: true,
  about: 'Configuration for pods to read, as environment or as files.',
  checkName: checkDnsSubdomain,
  fields,
  validate: ({ data = {}, binaryData = {} }, at) =>
    Object.keys(binaryData)
      .filter((key) => Object.hasOwn(data, key))
      .map((key) => duplicateField(at('binaryData')(key), key)),
  validateUpdate: (next, previous, at) => (previous.immutable ? unchanged(next, previous, at) : []),
  columns: [
    {
      name: 'Data',
      type: 'integer',
      about: 'Number of keys.',
      of: ({ data, binaryData }) =>
        Object.keys(data ?? {}).length + Object.keys(binaryData ?? {}).length,
    },
  ],
});

function unchanged(next: ConfigMap, previous: ConfigMap, at: FieldPath): readonly FieldError[] {
  const fields = ['data', 'binaryData', 'immutable'] as const;
  return fields
    .filter((field) => JSON.stringify(next[field]) !== JSON.stringify(previous[field]))
    .map((field) => forbiddenField(at(field), 'field is immutable when `immutable` is set'));
}
