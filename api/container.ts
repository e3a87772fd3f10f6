import { checkDnsLabel } from './names.ts';
import { probeFields } from './probe.ts';
import {
  bool,
  defaulted,
  derived,
  fixed,
  int,
  list,
  listMap,
  long,
  map,
  type ObjectOf,
  obj,
  quantity,
  required,
  str,
  unsupported,
  unsupportedFields,
} from './schema.ts';

const keyRef = (of: string) =>
  obj({
    name: required(str({ about: `Name of the ${of}, in the pod's namespace.` })),
    key: required(str({ about: 'Key in it.' })),
    optional: bool({ about: 'Leave the variable out if there is none.' }),
  });

const sourceRef = (of: string) =>
  obj({
    name: required(str({ about: `Name of the ${of}, in the pod's namespace.` })),
    optional: bool({ about: `Don't wait for the ${of}.` }),
  });

const envVarFields = {
  name: required(str({ about: 'Name of the variable.' })),
  value: str({ about: '$(NAME) stands for variables defined before; $$ for a dollar.' }),
  valueFrom: obj(
    {
      configMapKeyRef: keyRef('ConfigMap'),
      secretKeyRef: keyRef('Secret'),
      fieldRef: obj({
        apiVersion: defaulted(str({ values: ['v1'] }), 'v1'),
        fieldPath: required(str({ about: 'Such as metadata.name or status.podIP.' })),
      }),
      resourceFieldRef: unsupported(),
    },
    { about: 'Exactly one source.' },
  ),
};

const envFromFields = {
  prefix: str({ about: 'Put before each name.' }),
  configMapRef: sourceRef('ConfigMap'),
  secretRef: sourceRef('Secret'),
};

const containerPortFields = {
  containerPort: required(int({ min: 1, max: 65_535 })),
  name: str({ about: 'For Services and probes; at most 15 characters.' }),
  protocol: defaulted(str({ values: ['TCP', 'UDP'], lacks: ['SCTP'] }), 'TCP'),
  hostPort: int({ min: 0, max: 65_535, about: 'Port of the node that leads here too.' }),
  hostIP: str({ about: "Address of the node for hostPort; default: all of the node's." }),
};

const volumeMountFields = {
  name: required(str({ about: 'A volume of the pod.' })),
  mountPath: required(str({ about: 'Where in the container.' })),
  readOnly: bool(),
  subPath: str({ about: 'Path inside the volume; default its root.' }),
  subPathExpr: unsupported(),
  mountPropagation: unsupported('None'),
  recursiveReadOnly: unsupported('Disabled'),
};

const resourceRequirementsFields = {
  limits: map(quantity(), { about: 'At most this: cpu (throttled), memory (killed).' }),
  requests: map(quantity(), { about: 'What the scheduler reserves; default: the limits.' }),
  claims: unsupported(),
};

export const seccompProfile = obj(
  {
    type: required(str({ values: ['RuntimeDefault', 'Unconfined'], lacks: ['Localhost'] })),
    localhostProfile: unsupported(),
  },
  { about: 'System calls that the container may make.' },
);

export const appArmorProfile = obj(
  {
    type: required(str({ values: ['RuntimeDefault', 'Unconfined', 'Localhost'] })),
    localhostProfile: str({ about: 'With Localhost: a profile that the node has loaded.' }),
  },
  { about: "AppArmor's profile; RuntimeDefault: that of the agent." },
);

const securityContextFields = {
  capabilities: obj({
    add: list(str(), { about: 'Names without CAP_, or ALL.' }),
    drop: list(str(), { about: 'Names without CAP_, or ALL.' }),
  }),
  privileged: bool({ about: 'Every capability; with user namespaces, only inside the pod.' }),
  runAsUser: long({ min: 0, max: 2 ** 31 - 1 }),
  runAsGroup: long({ min: 0, max: 2 ** 31 - 1 }),
  runAsNonRoot: bool({ about: 'Refuse to start as user 0.' }),
  readOnlyRootFilesystem: bool(),
  allowPrivilegeEscalation: bool({ about: 'false: setuid and file capabilities have no effect.' }),
  procMount: unsupported('Default'),
  seccompProfile,
  appArmorProfile,
  ...unsupportedFields('seLinuxOptions', 'windowsOptions'),
};

export const containerFields = {
  name: required(str({ check: checkDnsLabel, about: 'Unique in the pod.' })),
  image: required(str({ about: 'Reference: registry/name:tag or @digest.' })),
  imagePullPolicy: derived(
    str({
      values: ['Always', 'IfNotPresent', 'Never'],
      about: 'Default: Always with tag latest or none, else IfNotPresent.',
    }),
  ),
  command: list(str(), { about: "Replaces the image's entrypoint." }),
  args: list(str(), { about: "Replaces the image's command." }),
  workingDir: str({ about: "Default: the image's." }),
  env: listMap(obj(envVarFields), { keys: ['name'], about: 'Variables; win over envFrom.' }),
  envFrom: list(obj(envFromFields), { about: 'Every key of these becomes a variable.' }),
  ports: listMap(obj(containerPortFields), {
    keys: ['containerPort', 'protocol'],
    about: 'Names for ports; a port needs no entry to be reachable.',
  }),
  resources: defaulted(obj(resourceRequirementsFields), {}),
  volumeMounts: listMap(obj(volumeMountFields), { keys: ['mountPath'] }),
  livenessProbe: obj(probeFields, { about: 'Failing restarts the container.' }),
  readinessProbe: obj(probeFields, { about: 'Failing takes the pod out of its Services.' }),
  startupProbe: obj(probeFields, { about: 'The other two wait for it.' }),
  securityContext: obj(securityContextFields),
  terminationMessagePath: fixed('/dev/termination-log'),
  terminationMessagePolicy: fixed('File'),
  stdin: bool({ about: 'Standard input is open, for `attach`.' }),
  stdinOnce: bool({ about: 'It ends with the first attach.' }),
  tty: bool({ about: 'A terminal for the first process.' }),
  ...unsupportedFields(
    'lifecycle',
    'resizePolicy',
    'restartPolicy',
    'restartPolicyRules',
    'volumeDevices',
  ),
};

export type Container = ObjectOf<typeof containerFields>;
export type EnvVar = ObjectOf<typeof envVarFields>;
export type EnvFromSource = ObjectOf<typeof envFromFields>;
export type VolumeMount = ObjectOf<typeof volumeMountFields>;
export type ResourceRequirements = ObjectOf<typeof resourceRequirementsFields>;
export type SecurityContext = ObjectOf<typeof securityContextFields>;
