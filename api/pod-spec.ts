import { appArmorProfile, containerFields, seccompProfile } from './container.ts';
import { objectMetaFields } from './object-meta.ts';
import * as s from './schema.ts';
import { volumeFields } from './volume.ts';

const podSecurityContextFields = {
  runAsUser: s.long({ min: 0, max: 2 ** 31 - 1, about: "Default: the image's user." }),
  runAsGroup: s.long({ min: 0, max: 2 ** 31 - 1 }),
  runAsNonRoot: s.bool({ about: 'Refuse to start containers as user 0.' }),
  supplementalGroups: s.list(s.long({ min: 0, max: 2 ** 31 - 1 })),
  fsGroup: s.long({
    min: 0,
    max: 2 ** 31 - 1,
    about: 'Group of the volumes and of every process.',
  }),
  seccompProfile,
  appArmorProfile,
  supplementalGroupsPolicy: s.unsupported('Merge'),
  fsGroupChangePolicy: s.unsupported('Always'),
  ...s.unsupportedFields('seLinuxChangePolicy seLinuxOptions sysctls windowsOptions'),
};

const tolerationFields = {
  key: s.str({ about: 'The taint; empty with Exists means every taint.' }),
  operator: s.str({ values: ['Exists', 'Equal'], about: 'Default Equal.' }),
  value: s.str(),
  effect: s.str({
    values: ['NoSchedule', 'PreferNoSchedule', 'NoExecute'],
    about: 'Default: every effect.',
  }),
  tolerationSeconds: s.long({ about: 'With NoExecute: how long the pod may stay.' }),
};

export const podSpecFields = {
  containers: s.required(s.listMap(s.obj(containerFields), { keys: ['name'] })),
  initContainers: s.listMap(s.obj(containerFields), {
    keys: ['name'],
    about: 'Run one after the other, to their end, before the containers.',
  }),
  volumes: s.listMap(s.obj(volumeFields), { keys: ['name'] }),
  restartPolicy: s.defaulted(s.str({ values: ['Always', 'OnFailure', 'Never'] }), 'Always'),
  terminationGracePeriodSeconds: s.defaulted(
    s.long({ min: 0, about: 'Time from SIGTERM to SIGKILL.' }),
    30,
  ),
  dnsPolicy: s.defaulted(
    s.str({
      values: ['ClusterFirst', 'Default'],
      lacks: ['ClusterFirstWithHostNet', 'None'],
      about: "ClusterFirst: the cluster's names; Default: the node's resolv.conf.",
    }),
    'ClusterFirst',
  ),
  nodeSelector: s.map(s.str(), { about: 'Labels that the node must have.' }),
  nodeName: s.str({ about: 'Written by the scheduler; set it to bypass it.' }),
  tolerations: s.list(s.obj(tolerationFields), { about: 'Taints that the pod puts up with.' }),
  hostNetwork: s.bool({ about: "Share the node's network." }),
  hostUsers: s.derived(
    s.bool({ about: "Share the node's user ids. Default false in orc; true with hostNetwork." }),
  ),
  securityContext: s.defaulted(s.obj(podSecurityContextFields), {}),
  hostname: s.str({ about: "Default: the pod's name." }),
  subdomain: s.str({ about: 'A headless Service under which the hostname resolves.' }),
  imagePullSecrets: s.listMap(s.obj({ name: s.required(s.str()) }), {
    keys: ['name'],
    about: 'Secrets of type kubernetes.io/dockerconfigjson.',
  }),
  enableServiceLinks: s.bool({
    about: 'Addresses of the Services as environment variables. Default true.',
  }),
  runtimeClassName: s.str({ about: 'A RuntimeClass: the runtime that runs the containers.' }),
  schedulerName: s.fixed('default-scheduler'),
  hostPID: s.unsupported(false),
  hostIPC: s.unsupported(false),
  shareProcessNamespace: s.unsupported(false),
  setHostnameAsFQDN: s.unsupported(false),
  serviceAccountName: s.unsupported('default'),
  serviceAccount: s.unsupported('default'),
  automountServiceAccountToken: s.unsupported(false),
  priority: s.unsupported(0),
  preemptionPolicy: s.unsupported('PreemptLowerPriority'),
  affinity: s.unsupported({}),
  overhead: s.unsupported({}),
  dnsConfig: s.unsupported({}),
  resources: s.unsupported({}),
  os: s.unsupported({ name: 'linux' }),
  ...s.unsupportedFields(
    'activeDeadlineSeconds ephemeralContainers hostAliases hostnameOverride priorityClassName',
    'readinessGates resourceClaims schedulingGates topologySpreadConstraints',
  ),
};

export const podTemplateFields = {
  metadata: s.defaulted(s.obj(objectMetaFields), {}),
  spec: s.required(s.obj(podSpecFields)),
};

export type PodSpec = s.ObjectOf<typeof podSpecFields>;
export type PodTemplate = s.ObjectOf<typeof podTemplateFields>;
export type Toleration = s.ObjectOf<typeof tolerationFields>;
