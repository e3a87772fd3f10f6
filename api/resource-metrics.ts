import { type Kind, type KubeObject, kind } from './kind.ts';
import * as s from './schema.ts';

/** metrics.k8s.io: measured, never stored; what `kubectl top` reads. */

const usage = s.map(s.quantity()).doc('cpu in cores, memory in bytes.').default({});

const measured = {
  timestamp: s.time().doc('The end of the window.').required(),
  window: s.str().doc('Over which cpu is averaged.').required(),
};

const nodeFields = { ...measured, usage };

const podFields = {
  ...measured,
  containers: s.list(s.obj({ name: s.str().required(), usage })).default([]),
};

const shared = {
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  verbs: ['get', 'list'],
  columns: [],
} as const;

export type NodeMetrics = KubeObject<typeof nodeFields>;

export const NodeMetrics: Kind<typeof nodeFields> = kind({
  ...shared,
  kind: 'NodeMetrics',
  plural: 'nodes',
  namespaced: false,
  about: 'What a node uses.',
  fields: nodeFields,
});

export type PodMetrics = KubeObject<typeof podFields>;

export const PodMetrics: Kind<typeof podFields> = kind({
  ...shared,
  kind: 'PodMetrics',
  plural: 'pods',
  about: 'What the containers of a running pod use.',
  fields: podFields,
});
