import { text } from './columns.ts';
import { conditionFields } from './condition.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { checkDnsLabel } from './names.ts';
import * as s from './schema.ts';

const fields = {
  spec: s.obj({ finalizers: s.list(s.str()).doc('Goes when the namespace is empty.') }).default({}),
  status: s
    .obj({
      phase: s.str({ values: ['Active', 'Terminating'] }).default('Active'),
      conditions: s.listMap(s.obj(conditionFields), 'type'),
    })
    .default({ phase: 'Active' }),
};

export type Namespace = KubeObject<typeof fields>;

export const Namespace: Kind<typeof fields> = kind({
  kind: 'Namespace',
  shortNames: ['ns'],
  namespaced: false,
  about: 'Keeps names apart. Deleting it deletes everything in it.',
  subresources: ['status'],
  checkName: checkDnsLabel,
  fields,
  applyDefaults: ({ metadata, spec, ...rest }) => ({
    ...rest,
    metadata: { ...metadata, labels: { ...metadata.labels, ...nameLabel(metadata.name) } },
    spec: { finalizers: spec.finalizers ?? ['kubernetes'] },
  }),
  columns: [text('Status', 'Active or Terminating.', ({ status }) => status.phase)],
  selectableFields: { 'status.phase': ({ status }) => status.phase },
});

/** There from the start, and for good. */
export const firstNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

/** So that selectors can name namespaces. */
const nameLabel = (name: string | undefined) =>
  name === undefined ? {} : { 'kubernetes.io/metadata.name': name };
