import { defaultRunningPodSpec } from './default-pod-spec.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { podColumns } from './pod-columns.ts';
import { qosClass } from './pod-facts.ts';
import { podSpecFields } from './pod-spec.ts';
import { podStatusFields } from './pod-status.ts';
import * as s from './schema.ts';
import { validatePodSpec, validatePodSpecUpdate } from './validate-pod-spec.ts';

const fields = {
  spec: s.obj(podSpecFields).required(),
  status: s.obj(podStatusFields).default({ phase: 'Pending' }),
};

export type Pod = KubeObject<typeof fields>;

export const Pod: Kind<typeof fields> = kind({
  group: '',
  kind: 'Pod',
  shortNames: ['po'],
  categories: ['all'],
  about: 'Containers that run together on one node, with one address and the same volumes.',
  subresources: ['status', 'log', 'exec', 'attach', 'portforward', 'eviction', 'binding'],
  fields,
  applyDefaults: (pod) => {
    const spec = defaultRunningPodSpec(pod.spec);
    return {
      ...pod,
      spec,
      status: { ...pod.status, qosClass: pod.status.qosClass ?? qosClass(spec) },
    };
  },
  validate: ({ spec }, at) => validatePodSpec(spec, at('spec')),
  validateUpdate: (next, previous, at) =>
    validatePodSpecUpdate(previous.spec)(next.spec, at('spec')),
  columns: podColumns,
  selectableFields: {
    'spec.nodeName': ({ spec }) => spec.nodeName,
    'spec.restartPolicy': ({ spec }) => spec.restartPolicy,
    'spec.schedulerName': ({ spec }) => spec.schedulerName,
    'spec.serviceAccountName': () => '',
    'spec.hostNetwork': ({ spec }) => String(spec.hostNetwork ?? false),
    'status.phase': ({ status }) => status.phase,
    'status.podIP': ({ status }) => status.podIP,
    'status.nominatedNodeName': ({ status }) => status.nominatedNodeName,
  },
});
