import { parseJson } from '../base/json-text.ts';
import { count, text } from './columns.ts';
import { maxDataBytes, sizeOf } from './config-map.ts';
import * as field from './field-error.ts';
import { frozen, unchanged } from './immutable.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { checkConfigMapKey } from './names.ts';
import { own } from './normalize.ts';
import * as s from './schema.ts';

const fields = {
  data: s.map(s.base64(), { check: checkConfigMapKey }).doc('Values by key, in base64.'),
  stringData: s
    .map(s.str(), { check: checkConfigMapKey })
    .doc('Values as plain text; written into data and never read back.'),
  type: s.str().doc('What it is for. Cannot be changed.').default('Opaque'),
  immutable: s.bool().doc('Never changes again once true.'),
};

export type Secret = KubeObject<typeof fields>;

export const Secret: Kind<typeof fields> = kind({
  kind: 'Secret',
  about: 'Configuration that is encrypted where it is stored.',
  fields,
  applyDefaults: foldStringData,
  validate: (secret, at) =>
    field.errorsOf(
      sizeOf(secret.data ?? {}, 'base64') > maxDataBytes && field.tooLong(at('data'), maxDataBytes),
      validateTypedKeys(secret, at('data')),
      secret.type === TOKEN_TYPE && field.unsupported(at('type'), TOKEN_TYPE),
    ),
  validateUpdate: (next, previous, at) => [
    ...unchanged(next.type, previous.type, at('type')),
    ...frozen({ next, previous }, ['data', 'immutable'], at),
  ],
  columns: [
    text('Type', 'What it is for.', ({ type }) => type),
    count('Data', 'Number of keys.', ({ data = {} }) => Object.keys(data).length),
  ],
  selectableFields: { type: ({ type }) => type },
});

function foldStringData({ stringData, ...secret }: Secret): Secret {
  if (stringData === undefined) return secret;
  const encoded = Object.entries(stringData).map(([key, text]) => [
    key,
    Buffer.from(text).toString('base64'),
  ]);
  return { ...secret, data: { ...secret.data, ...Object.fromEntries(encoded) } };
}

/** Kubernetes fills such a one with a token that never expires: `kubectl create token` is instead. */
const TOKEN_TYPE = 'kubernetes.io/service-account-token';

/** Keys that a Secret of a known type must have. */
const KEYS_BY_TYPE: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
};

const validateTypedKeys: field.Rule<Secret> = ({ type, data = {} }, at) =>
  (own(KEYS_BY_TYPE, type) ?? []).flatMap((key) => {
    const value = own(data, key);
    if (value === undefined) return [field.required(at(key))];
    return key.startsWith('.docker') &&
      parseJson(Buffer.from(value, 'base64').toString()) === undefined
      ? [field.invalid(at(key), '<secret contents redacted>', 'must be JSON')]
      : [];
  });
