import { appArmorProfile, containerFields, seccompProfile } from './container.ts';
import { objectMetaFields } from './object-meta.ts';
import {
  bool,
  defaulted,
  derived,
  fixed,
  list,
  listMap,
  long,
  map,
  type ObjectOf,
  obj,
  required,
  str,
  unsupported,
  unsupportedFields,
} from './schema.ts';
import { volumeFields } from './volume.ts';

const podSecurityContextFields = {
  runAsUser: long({ min: 0, max: 2 ** 31 - 1, about: "Default: the image's user." }),
  runAsGroup: long({ min: 0, max: 2 ** 31 - 1 }),
  runAsNonRoot: bool({ about: 'Refuse to start containers as user 0.' }),
  supplementalGroups: list(long({ min: 0, max: 2 ** 31 - 1 })),
  fsGroup: long({ min: 0, max: 2 ** 31 - 1, about: 'Group of the volumes and of every process.' }),
  seccompProfile,
  appArmorProfile,
  supplementalGroupsPolicy: unsupported('Merge'),
  fsGroupChangePolicy: unsupported('Always'),
  ...unsupportedFields('seLinuxChangePolicy', 'seLinuxOptions', 'sysctls', 'windowsOptions'),
};

const tolerationFields = {
  key: str({ about: 'The taint; empty with Exists means every taint.' }),
  operator: str({ values: ['Exists', 'Equal'], about: 'Default Equal.' }),
  value: str(),
  effect: str({
    values: ['NoSchedule', 'PreferNoSchedule', 'NoExecute'],
    about: 'Default: every effect.',
  }),
  tolerationSeconds: long({ about: 'With NoExecute: how long the pod may stay.' }),
};

export const podSpecFields = {
  containers: required(listMap(obj(containerFields), { keys: ['name'] })),
  initContainers: listMap(obj(containerFields), {
    keys: ['name'],
    about: 'Run one after the other, to their end, before the containers.',
  }),
  volumes: listMap(obj(volumeFields), { keys: ['name'] }),
  restartPolicy: defaulted(str({ values: ['Always', 'OnFailure', 'Never'] }), 'Always'),
  terminationGracePeriodSeconds: defaulted(
    long({ min: 0, about: 'Time from SIGTERM to SIGKILL.' }),
    30,
  ),
  dnsPolicy: defaulted(
    str({
      values: ['ClusterFirst', 'Default'],
      lacks: ['ClusterFirstWithHostNet', 'None'],
      about: "ClusterFirst: the cluster's names; Default: the node's resolv.conf.",
    }),
    'ClusterFirst',
  ),
  nodeSelector: map(str(), { about: 'Labels that the node must have.' }),
  nodeName: str({ about: 'Written by the scheduler; set it to bypass it.' }),
  tolerations: list(obj(tolerationFields), { about: 'Taints that the pod puts up with.' }),
  hostNetwork: bool({ about: "Share the node's network." }),
  hostUsers: derived(
    bool({ about: "Share the node's user ids. Default false in orc; true with hostNetwork." }),
  ),
  securityContext: defaulted(obj(podSecurityContextFields), {}),
  hostname: str({ about: "Default: the pod's name." }),
  subdomain: str({ about: 'A headless Service under which the hostname resolves.' }),
  imagePullSecrets: listMap(obj({ name: required(str()) }), {
    keys: ['name'],
    about: 'Secrets of type kubernetes.io/dockerconfigjson.',
  }),
  enableServiceLinks: bool({
    about: 'Addresses of the Services as environment variables. Default true.',
  }),
  runtimeClassName: str({ about: 'A RuntimeClass: the runtime that runs the containers.' }),
  schedulerName: fixed('default-scheduler'),
  hostPID: unsupported(false),
  hostIPC: unsupported(false),
  shareProcessNamespace: unsupported(false),
  setHostnameAsFQDN: unsupported(false),
  serviceAccountName: unsupported('default'),
  serviceAccount: unsupported('default'),
  automountServiceAccountToken: unsupported(false),
  priority: unsupported(0),
  preemptionPolicy: unsupported('PreemptLowerPriority'),
  affinity: unsupported({}),
  overhead: unsupported({}),
  dnsConfig: unsupported({}),
  resources: unsupported({}),
  os: unsupported({ name: 'linux' }),
  ...unsupportedFields(
    'activeDeadlineSeconds',
    'ephemeralContainers',
    'hostAliases',
    'hostnameOverride',
    'priorityClassName',
    'readinessGates',
    'resourceClaims',
    'schedulingGates',
    'topologySpreadConstraints',
  ),
};

export const podTemplateFields = {
  metadata: defaulted(obj(objectMetaFields), {}),
  spec: required(obj(podSpecFields)),
};

export type PodSpec = ObjectOf<typeof podSpecFields>;
export type PodTemplate = ObjectOf<typeof podTemplateFields>;
export type Toleration = ObjectOf<typeof tolerationFields>;
