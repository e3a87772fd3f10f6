import { type Kind, type KubeObject, kind } from './kind.ts';
import { checkDnsSubdomain } from './names.ts';
import { podSpecFields } from './pod-spec.ts';
import { podStatusFields } from './pod-status.ts';
import { defaulted, obj, required } from './schema.ts';

const fields = {
  spec: required(obj(podSpecFields)),
  status: defaulted(obj(podStatusFields), { phase: 'Pending' }),
};

export type Pod = KubeObject<typeof fields>;

export const Pod: Kind<typeof fields> = kind({
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  shortNames: ['po'],
  categories: ['all'],
  namespaced: true,
  about: 'Containers that run together on one node, with one address and the same volumes.',
  subresources: ['status', 'log', 'exec', 'eviction', 'binding'],
  checkName: checkDnsSubdomain,
  fields,
  columns: [],
});
