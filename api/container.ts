import { checkDnsLabel } from './names.ts';
import { probeFields } from './probe.ts';
import * as s from './schema.ts';

const nameOf = (kind: string) =>
  s.str().doc(`Name of the ${kind}, in the pod's namespace.`).required();

const keyRef = (kind: string) =>
  s.obj({
    name: nameOf(kind),
    key: s.str().doc('Key in it.').required(),
    optional: s.bool().doc('Leave the variable out if there is none.'),
  });

const sourceRef = (kind: string) =>
  s.obj({ name: nameOf(kind), optional: s.bool().doc(`Don't wait for the ${kind}.`) });

const envVarFields = {
  name: s.str().doc('Name of the variable.').required(),
  value: s.str().doc('$(NAME) stands for variables defined before; $$ for a dollar.'),
  valueFrom: s
    .obj({
      configMapKeyRef: keyRef('ConfigMap').doc('One value of a ConfigMap.'),
      secretKeyRef: keyRef('Secret').doc('One value of a Secret.'),
      fieldRef: s
        .obj({
          apiVersion: s.str({ values: ['v1'] }).default('v1'),
          fieldPath: s.str().doc('Such as metadata.name or status.podIP.').required(),
        })
        .doc('Something of the pod itself.'),
      resourceFieldRef: s.unsupported(),
    })
    .doc('Exactly one source.'),
};

const envFromFields = {
  prefix: s.str().doc('Put before each name.'),
  configMapRef: sourceRef('ConfigMap').doc('All of a ConfigMap.'),
  secretRef: sourceRef('Secret').doc('All of a Secret.'),
};

const containerPortFields = {
  containerPort: s.int({ min: 1, max: 65_535 }).doc('Where the container listens.').required(),
  name: s.str().doc('For Services and probes; at most 15 characters.'),
  protocol: s.str({ values: ['TCP', 'UDP'], lacks: ['SCTP'] }).default('TCP'),
  hostPort: s.int({ min: 0, max: 65_535 }).doc('Port of the node that leads here too.'),
  hostIP: s.str().doc("Address of the node for hostPort; default: all of the node's."),
};

const volumeMountFields = {
  name: s.str().doc('A volume of the pod.').required(),
  mountPath: s.str().doc('Where in the container.').required(),
  readOnly: s.bool().doc('Writing there fails.'),
  subPath: s.str().doc('Path inside the volume; default its root.'),
  subPathExpr: s.unsupported(),
  mountPropagation: s.unsupported('None'),
  recursiveReadOnly: s.unsupported('Disabled'),
};

const resourceRequirementsFields = {
  limits: s.map(s.quantity()).doc('At most this: cpu (throttled), memory (killed).'),
  requests: s.map(s.quantity()).doc('What the scheduler reserves; default: the limits.'),
  claims: s.unsupported(),
};

export const seccompProfile = s
  .obj({
    type: s.str({ values: ['RuntimeDefault', 'Unconfined'], lacks: ['Localhost'] }).required(),
    localhostProfile: s.unsupported(),
  })
  .doc('System calls that the container may make.');

export const appArmorProfile = s
  .obj({
    type: s.str({ values: ['RuntimeDefault', 'Unconfined', 'Localhost'] }).required(),
    localhostProfile: s.str().doc('With Localhost: a profile that the node has loaded.'),
  })
  .doc("AppArmor's profile; RuntimeDefault: that of the agent.");

/** Of a user or a group. */
export const linuxId = s.long({ min: 0, max: 2 ** 31 - 1 }).doc('As a number.');

const securityContextFields = {
  capabilities: s
    .obj({ ...s.all(s.list(s.str()).doc('Names without CAP_, or ALL.'), 'add', 'drop') })
    .doc("What of root's power the container has: the usual set, and these changes."),
  privileged: s.bool().doc('Every capability; with user namespaces, only inside the pod.'),
  ...s.all(linuxId, 'runAsUser', 'runAsGroup'),
  runAsNonRoot: s.bool().doc('Refuse to start as user 0.'),
  readOnlyRootFilesystem: s.bool().doc('Only volumes can be written to.'),
  allowPrivilegeEscalation: s.bool().doc('false: setuid and file capabilities have no effect.'),
  procMount: s.unsupported('Default'),
  seccompProfile,
  appArmorProfile,
  ...s.unsupportedFields('seLinuxOptions windowsOptions'),
};

export const containerFields = {
  name: s.str({ check: checkDnsLabel }).doc('Unique in the pod.').required(),
  image: s.str().doc('Reference: registry/name:tag or @digest.').required(),
  imagePullPolicy: s
    .str({ values: ['Always', 'IfNotPresent', 'Never'] })
    .doc('Default: Always with tag latest or none, else IfNotPresent.')
    .derived(),
  command: s.list(s.str()).doc("Replaces the image's entrypoint."),
  args: s.list(s.str()).doc("Replaces the image's command."),
  workingDir: s.str().doc("Default: the image's."),
  env: s.listMap(s.obj(envVarFields), 'name').doc('Variables; win over envFrom.'),
  envFrom: s.list(s.obj(envFromFields)).doc('Every key of these becomes a variable.'),
  ports: s
    .listMap(s.obj(containerPortFields), 'containerPort', 'protocol')
    .doc('Names for ports; a port needs no entry to be reachable.'),
  resources: s.obj(resourceRequirementsFields).doc('How much it gets.').default({}),
  volumeMounts: s.listMap(s.obj(volumeMountFields), 'mountPath').doc('Volumes that it sees.'),
  livenessProbe: s.obj(probeFields).doc('Failing restarts the container.'),
  readinessProbe: s.obj(probeFields).doc('Failing takes the pod out of its Services.'),
  startupProbe: s.obj(probeFields).doc('The other two wait for it.'),
  securityContext: s.obj(securityContextFields).doc("What it may; wins over the pod's."),
  terminationMessagePath: s.fixed('/dev/termination-log'),
  terminationMessagePolicy: s.fixed('File'),
  stdin: s.bool().doc('Standard input is open, for `attach`.'),
  stdinOnce: s.bool().doc('It ends with the first attach.'),
  tty: s.bool().doc('A terminal for the first process.'),
  ...s.unsupportedFields('lifecycle resizePolicy restartPolicy restartPolicyRules volumeDevices'),
};

/** Of a container that is added to a running pod; validateEphemeral says which of them may be set. */
export const ephemeralContainerFields = {
  ...containerFields,
  targetContainerName: s.str().doc('Container whose processes it shares; default: none.'),
};

export type Container = s.ObjectOf<typeof containerFields>;
export type EphemeralContainer = s.ObjectOf<typeof ephemeralContainerFields>;
export type EnvVar = s.ObjectOf<typeof envVarFields>;
export type EnvFromSource = s.ObjectOf<typeof envFromFields>;
export type VolumeMount = s.ObjectOf<typeof volumeMountFields>;
export type ResourceRequirements = s.ObjectOf<typeof resourceRequirementsFields>;
export type SecurityContext = s.ObjectOf<typeof securityContextFields>;
