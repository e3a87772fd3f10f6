import { EndpointSlice } from '../../api/endpoint-slice.ts';
import type { FieldsOf } from '../../api/kind.ts';
import { Pod } from '../../api/pod.ts';
import { ClusterRoleBinding, RoleBinding, subjectWord } from '../../api/role-binding.ts';
import type { Index } from './objects.ts';

/** Indexes that loops in several folders read; those of one loop are declared beside it. */

/** "": not bound yet. */
export const podsByNode: Index<FieldsOf<typeof Pod>> = {
  name: 'pods by node',
  kind: Pod,
  valuesOf: ({ spec }) => [spec.nodeName ?? ''],
};

/** By "namespace/name" of the Service. */
export const slicesByService: Index<FieldsOf<typeof EndpointSlice>> = {
  name: 'endpoint slices by service',
  kind: EndpointSlice,
  valuesOf: ({ metadata }) => {
    const service = metadata.labels?.['kubernetes.io/service-name'];
    return service ? [`${metadata.namespace ?? ''}/${service}`] : [];
  },
};

/** By "User jane", "Group staff"; a ServiceAccount is a user. */
export const clusterBindingsBySubject: Index<FieldsOf<typeof ClusterRoleBinding>> = {
  name: 'cluster role bindings by subject',
  kind: ClusterRoleBinding,
  valuesOf: ({ subjects = [] }) => [...new Set(subjects.map(subjectWord))],
};

/** By "namespace/User jane". */
export const bindingsBySubject: Index<FieldsOf<typeof RoleBinding>> = {
  name: 'role bindings by subject',
  kind: RoleBinding,
  valuesOf: ({ metadata, subjects = [] }) =>
    [...new Set(subjects.map(subjectWord))].map((word) => `${metadata.namespace}/${word}`),
};

export const sharedIndexes: readonly Index[] = [
  podsByNode,
  slicesByService,
  clusterBindingsBySubject,
  bindingsBySubject,
];
