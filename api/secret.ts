import { type Kind, type KubeObject, kind } from './kind.ts';
import { checkConfigMapKey, checkDnsSubdomain } from './names.ts';
import { base64, bool, defaulted, map, str } from './schema.ts';

const fields = {
  data: map(base64(), { check: checkConfigMapKey, about: 'Values by key, in base64.' }),
  stringData: map(str(), {
    check: checkConfigMapKey,
    about: 'Values as plain text; written into data and never read back.',
  }),
  type: defaulted(str({ about: 'What it is for. Cannot be changed.' }), 'Opaque'),
  immutable: bool({ about: 'Never changes again once true.' }),
};

export type Secret = KubeObject<typeof fields>;

export const Secret: Kind<typeof fields> = kind({
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  namespaced: true,
  about: 'Configuration that is encrypted where it is stored.',
  checkName: checkDnsSubdomain,
  fields,
  columns: [],
});
