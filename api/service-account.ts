import { type Kind, type KubeObject, kind } from './kind.ts';
import * as s from './schema.ts';

const fields = {
  secrets: s.unsupported([]),
  imagePullSecrets: s.unsupported([]),
  automountServiceAccountToken: s.unsupported(false),
};

export type ServiceAccount = KubeObject<typeof fields>;

export const ServiceAccount: Kind<typeof fields> = kind({
  kind: 'ServiceAccount',
  shortNames: ['sa'],
  about: 'Who a program is to the API: `kubectl create token` gives it a token.',
  subresources: ['token'],
  fields,
  columns: [],
});
