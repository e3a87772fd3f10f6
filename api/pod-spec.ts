import {
  appArmorProfile,
  containerFields,
  ephemeralContainerFields,
  linuxId,
  seccompProfile,
} from './container.ts';
import { objectMetaFields } from './object-meta.ts';
import { preemptionPolicies } from './priority-class.ts';
import * as s from './schema.ts';
import { volumeFields } from './volume.ts';

const podSecurityContextFields = {
  runAsUser: linuxId.doc("Default: the image's user."),
  runAsGroup: linuxId,
  runAsNonRoot: s.bool().doc('Refuse to start containers as user 0.'),
  supplementalGroups: s.list(linuxId).doc('Further groups of every process.'),
  fsGroup: linuxId.doc('Group of the volumes and of every process.'),
  seccompProfile,
  appArmorProfile,
  supplementalGroupsPolicy: s.unsupported('Merge'),
  fsGroupChangePolicy: s.unsupported('Always'),
  ...s.unsupportedFields('seLinuxChangePolicy seLinuxOptions sysctls windowsOptions'),
};

const tolerationFields = {
  key: s.str().doc('The taint; empty with Exists means every taint.'),
  operator: s.str({ values: ['Exists', 'Equal'] }).doc('Default Equal.'),
  value: s.str().doc("With Equal: the taint's."),
  effect: s
    .str({ values: ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] })
    .doc('Default: every effect.'),
  tolerationSeconds: s.long().doc('With NoExecute: how long the pod may stay.'),
};

export const podSpecFields = {
  containers: s.listMap(s.obj(containerFields), 'name').doc('They run side by side.').required(),
  initContainers: s
    .listMap(s.obj(containerFields), 'name')
    .doc('Run one after the other, to their end, before the containers.'),
  ephemeralContainers: s
    .listMap(s.obj(ephemeralContainerFields), 'name')
    .doc('Added to a running pod to look into it (`kubectl debug`), by the subresource only.'),
  volumes: s.listMap(s.obj(volumeFields), 'name').doc('Directories for its containers.'),
  restartPolicy: s
    .str({ values: ['Always', 'OnFailure', 'Never'] })
    .doc('When a container that has ended starts again.')
    .default('Always'),
  terminationGracePeriodSeconds: s
    .long({ min: 0 })
    .doc('Time from SIGTERM to SIGKILL.')
    .default(30),
  dnsPolicy: s
    .str({ values: ['ClusterFirst', 'Default'], lacks: ['ClusterFirstWithHostNet', 'None'] })
    .doc("ClusterFirst: the cluster's names; Default: the node's resolv.conf.")
    .default('ClusterFirst'),
  nodeSelector: s.map(s.str()).doc('Labels that the node must have.'),
  nodeName: s.str().doc('Written by the scheduler; set it to bypass it.'),
  tolerations: s.list(s.obj(tolerationFields)).doc('Taints that the pod puts up with.'),
  hostNetwork: s.bool().doc("Share the node's network."),
  hostUsers: s
    .bool()
    .doc("Share the node's user ids. Default false in orc; true with hostNetwork.")
    .derived(),
  securityContext: s.obj(podSecurityContextFields).doc('For all containers.').default({}),
  hostname: s.str().doc("Default: the pod's name."),
  subdomain: s.str().doc('A headless Service under which the hostname resolves.'),
  imagePullSecrets: s
    .listMap(s.obj({ name: s.str().required() }), 'name')
    .doc('Secrets of type kubernetes.io/dockerconfigjson.'),
  enableServiceLinks: s
    .bool()
    .doc('Addresses of the Services as environment variables. Default true.'),
  runtimeClassName: s.str().doc('A RuntimeClass: the runtime that runs the containers.'),
  schedulerName: s.fixed('default-scheduler'),
  ...s.all(s.unsupported(false), 'hostPID', 'hostIPC', 'shareProcessNamespace'),
  setHostnameAsFQDN: s.unsupported(false),
  ...s.all(s.unsupported('default'), 'serviceAccountName', 'serviceAccount'),
  automountServiceAccountToken: s.unsupported(false),
  priorityClassName: s
    .str()
    .doc('A PriorityClass: which pods are placed first, and which make room for them.'),
  priority: s.int().doc("Its PriorityClass' value; nothing else can be given."),
  preemptionPolicy: s.str({ values: preemptionPolicies }).doc("Its PriorityClass', too."),
  ...s.all(s.unsupported({}), 'affinity', 'overhead', 'dnsConfig', 'resources'),
  os: s.unsupported({ name: 'linux' }),
  ...s.unsupportedFields(
    'activeDeadlineSeconds hostAliases hostnameOverride',
    'readinessGates resourceClaims schedulingGates topologySpreadConstraints',
  ),
};

export const podTemplateFields = {
  metadata: s.obj(objectMetaFields).default({}),
  spec: s.obj(podSpecFields).required(),
};

export type PodSpec = s.ObjectOf<typeof podSpecFields>;
export type PodTemplate = s.ObjectOf<typeof podTemplateFields>;
export type Toleration = s.ObjectOf<typeof tolerationFields>;
