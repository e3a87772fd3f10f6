import { ConfigMap } from './config-map.ts';
import { CustomResourceDefinition } from './custom-resource-definition.ts';
import { Deployment } from './deployment.ts';
import { EndpointSlice } from './endpoint-slice.ts';
import { Event } from './event.ts';
import type { Kind } from './kind.ts';
import { Lease } from './lease.ts';
import { LimitRange } from './limit-range.ts';
import { Namespace } from './namespace.ts';
import { Node } from './node.ts';
import { Pod } from './pod.ts';
import { PriorityClass } from './priority-class.ts';
import { ReplicaSet } from './replica-set.ts';
import { ResourceQuota } from './resource-quota.ts';
import { ClusterRole, Role } from './role.ts';
import { ClusterRoleBinding, RoleBinding } from './role-binding.ts';
import { RuntimeClass } from './runtime-class.ts';
import { Secret } from './secret.ts';
import { Service } from './service.ts';
import { ServiceAccount } from './service-account.ts';

/** Every kind that orc serves. Served means: its behaviour exists. */
export const kinds: readonly Kind[] = [
  Namespace,
  Node,
  Pod,
  ReplicaSet,
  Deployment,
  Service,
  EndpointSlice,
  ConfigMap,
  Secret,
  Event,
  Lease,
  RuntimeClass,
  LimitRange,
  ResourceQuota,
  PriorityClass,
  ServiceAccount,
  Role,
  ClusterRole,
  RoleBinding,
  ClusterRoleBinding,
  CustomResourceDefinition,
];
