import { checkDnsLabel } from './names.ts';
import { probeFields } from './probe.ts';
import * as s from './schema.ts';

const keyRef = (of: string) =>
  s.obj({
    name: s.required(s.str({ about: `Name of the ${of}, in the pod's namespace.` })),
    key: s.required(s.str({ about: 'Key in it.' })),
    optional: s.bool({ about: 'Leave the variable out if there is none.' }),
  });

const sourceRef = (of: string) =>
  s.obj({
    name: s.required(s.str({ about: `Name of the ${of}, in the pod's namespace.` })),
    optional: s.bool({ about: `Don't wait for the ${of}.` }),
  });

const envVarFields = {
  name: s.required(s.str({ about: 'Name of the variable.' })),
  value: s.str({ about: '$(NAME) stands for variables defined before; $$ for a dollar.' }),
  valueFrom: s.obj(
    {
      configMapKeyRef: keyRef('ConfigMap'),
      secretKeyRef: keyRef('Secret'),
      fieldRef: s.obj({
        apiVersion: s.defaulted(s.str({ values: ['v1'] }), 'v1'),
        fieldPath: s.required(s.str({ about: 'Such as metadata.name or status.podIP.' })),
      }),
      resourceFieldRef: s.unsupported(),
    },
    { about: 'Exactly one source.' },
  ),
};

const envFromFields = {
  prefix: s.str({ about: 'Put before each name.' }),
  configMapRef: sourceRef('ConfigMap'),
  secretRef: sourceRef('Secret'),
};

const containerPortFields = {
  containerPort: s.required(s.int({ min: 1, max: 65_535 })),
  name: s.str({ about: 'For Services and probes; at most 15 characters.' }),
  protocol: s.defaulted(s.str({ values: ['TCP', 'UDP'], lacks: ['SCTP'] }), 'TCP'),
  hostPort: s.int({ min: 0, max: 65_535, about: 'Port of the node that leads here too.' }),
  hostIP: s.str({ about: "Address of the node for hostPort; default: all of the node's." }),
};

const volumeMountFields = {
  name: s.required(s.str({ about: 'A volume of the pod.' })),
  mountPath: s.required(s.str({ about: 'Where in the container.' })),
  readOnly: s.bool(),
  subPath: s.str({ about: 'Path inside the volume; default its root.' }),
  subPathExpr: s.unsupported(),
  mountPropagation: s.unsupported('None'),
  recursiveReadOnly: s.unsupported('Disabled'),
};

const resourceRequirementsFields = {
  limits: s.map(s.quantity(), { about: 'At most this: cpu (throttled), memory (killed).' }),
  requests: s.map(s.quantity(), { about: 'What the scheduler reserves; default: the limits.' }),
  claims: s.unsupported(),
};

export const seccompProfile = s.obj(
  {
    type: s.required(s.str({ values: ['RuntimeDefault', 'Unconfined'], lacks: ['Localhost'] })),
    localhostProfile: s.unsupported(),
  },
  { about: 'System calls that the container may make.' },
);

export const appArmorProfile = s.obj(
  {
    type: s.required(s.str({ values: ['RuntimeDefault', 'Unconfined', 'Localhost'] })),
    localhostProfile: s.str({ about: 'With Localhost: a profile that the node has loaded.' }),
  },
  { about: "AppArmor's profile; RuntimeDefault: that of the agent." },
);

const securityContextFields = {
  capabilities: s.obj({
    add: s.list(s.str(), { about: 'Names without CAP_, or ALL.' }),
    drop: s.list(s.str(), { about: 'Names without CAP_, or ALL.' }),
  }),
  privileged: s.bool({ about: 'Every capability; with user namespaces, only inside the pod.' }),
  runAsUser: s.long({ min: 0, max: 2 ** 31 - 1 }),
  runAsGroup: s.long({ min: 0, max: 2 ** 31 - 1 }),
  runAsNonRoot: s.bool({ about: 'Refuse to start as user 0.' }),
  readOnlyRootFilesystem: s.bool(),
  allowPrivilegeEscalation: s.bool({
    about: 'false: setuid and file capabilities have no effect.',
  }),
  procMount: s.unsupported('Default'),
  seccompProfile,
  appArmorProfile,
  ...s.unsupportedFields('seLinuxOptions windowsOptions'),
};

export const containerFields = {
  name: s.required(s.str({ check: checkDnsLabel, about: 'Unique in the pod.' })),
  image: s.required(s.str({ about: 'Reference: registry/name:tag or @digest.' })),
  imagePullPolicy: s.derived(
    s.str({
      values: ['Always', 'IfNotPresent', 'Never'],
      about: 'Default: Always with tag latest or none, else IfNotPresent.',
    }),
  ),
  command: s.list(s.str(), { about: "Replaces the image's entrypoint." }),
  args: s.list(s.str(), { about: "Replaces the image's command." }),
  workingDir: s.str({ about: "Default: the image's." }),
  env: s.listMap(s.obj(envVarFields), { keys: ['name'], about: 'Variables; win over envFrom.' }),
  envFrom: s.list(s.obj(envFromFields), { about: 'Every key of these becomes a variable.' }),
  ports: s.listMap(s.obj(containerPortFields), {
    keys: ['containerPort', 'protocol'],
    about: 'Names for ports; a port needs no entry to be reachable.',
  }),
  resources: s.defaulted(s.obj(resourceRequirementsFields), {}),
  volumeMounts: s.listMap(s.obj(volumeMountFields), { keys: ['mountPath'] }),
  livenessProbe: s.obj(probeFields, { about: 'Failing restarts the container.' }),
  readinessProbe: s.obj(probeFields, { about: 'Failing takes the pod out of its Services.' }),
  startupProbe: s.obj(probeFields, { about: 'The other two wait for it.' }),
  securityContext: s.obj(securityContextFields),
  terminationMessagePath: s.fixed('/dev/termination-log'),
  terminationMessagePolicy: s.fixed('File'),
  stdin: s.bool({ about: 'Standard input is open, for `attach`.' }),
  stdinOnce: s.bool({ about: 'It ends with the first attach.' }),
  tty: s.bool({ about: 'A terminal for the first process.' }),
  ...s.unsupportedFields('lifecycle resizePolicy restartPolicy restartPolicyRules volumeDevices'),
};

export type Container = s.ObjectOf<typeof containerFields>;
export type EnvVar = s.ObjectOf<typeof envVarFields>;
export type EnvFromSource = s.ObjectOf<typeof envFromFields>;
export type VolumeMount = s.ObjectOf<typeof volumeMountFields>;
export type ResourceRequirements = s.ObjectOf<typeof resourceRequirementsFields>;
export type SecurityContext = s.ObjectOf<typeof securityContextFields>;
