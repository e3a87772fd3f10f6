import { ageColumn, type Column, text, wide } from './columns.ts';
import { conditionFields, conditionOf } from './condition.ts';
import * as field from './field-error.ts';
import { unchanged } from './immutable.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { checkLabelValue, checkQualifiedName } from './names.ts';
import * as s from './schema.ts';

const taintFields = {
  key: s.str().doc('What pods must tolerate.').required(),
  value: s.str().doc('More of it.'),
  effect: s
    .str({ values: ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] })
    .doc('No new pods; rather none; nor those that are there.')
    .required(),
  timeAdded: s.time().doc('With NoExecute: since when.'),
};

const specFields = {
  podCIDR: s.str().doc("Addresses of the node's pods; given by the controller."),
  podCIDRs: s.list(s.str()).doc('The same as a list.'),
  providerID: s.str().doc('Its name with whoever rents it out.'),
  unschedulable: s.bool().doc('No new pods: kubectl cordon.'),
  taints: s.list(s.obj(taintFields)).doc('Keep away pods that do not tolerate them.'),
  ...s.unsupportedFields('configSource externalID'),
};

const nodeConditionFields = {
  ...conditionFields,
  type: s.str().doc('Ready, MemoryPressure, DiskPressure, PIDPressure, …').required(),
  lastHeartbeatTime: s.time().doc('When it was last heard of.'),
};

const fact = s.str().doc('As the machine says it.').default('');

const systemFields = {
  ...s.all(fact, 'machineID', 'systemUUID', 'bootID', 'kernelVersion', 'osImage'),
  containerRuntimeVersion: fact,
  kubeletVersion: s.str().doc("The agent's version.").default(''),
  kubeProxyVersion: s.str(),
  ...s.all(fact, 'operatingSystem', 'architecture'),
  swap: s.obj({ capacity: s.int() }),
};

const statusFields = {
  capacity: s.map(s.quantity()).doc('What the machine has.'),
  allocatable: s.map(s.quantity()).doc('What the scheduler may give out: cpu, memory, pods.'),
  phase: s.str(),
  conditions: s.listMap(s.obj(nodeConditionFields), 'type').doc('What holds of it.'),
  addresses: s.listMap(
    s.obj({
      type: s.str({ values: ['Hostname', 'InternalIP', 'ExternalIP', 'InternalDNS'] }).required(),
      address: s.str().required(),
    }),
    'type',
  ),
  daemonEndpoints: s.obj({ kubeletEndpoint: s.obj({ Port: s.int().required() }) }),
  nodeInfo: s.obj(systemFields).doc('What it runs on.'),
  images: s.list(s.obj({ names: s.list(s.str()), sizeBytes: s.int({ min: 0, max: 2 ** 53 - 1 }) })),
  runtimeHandlers: s.list(s.obj({ name: s.str().default(''), ...s.unsupportedFields('features') })),
  ...s.unsupportedFields('config features volumesAttached volumesInUse'),
};

const fields = { spec: s.obj(specFields).default({}), status: s.obj(statusFields).default({}) };

export type Node = KubeObject<typeof fields>;
export type Taint = s.ObjectOf<typeof taintFields>;
export type NodeCondition = s.ObjectOf<typeof nodeConditionFields>;

export const Node: Kind<typeof fields> = kind({
  kind: 'Node',
  shortNames: ['no'],
  namespaced: false,
  about: 'A machine that runs pods. Made by the controller when an agent first joins.',
  subresources: ['status', 'proxy'],
  fields,
  claims: ({ spec }) =>
    spec.podCIDR ? [{ key: `pod-cidr/${spec.podCIDR}`, path: 'spec.podCIDR' }] : [],
  // As `kubectl get nodes` shows them.
  columns: [
    text('Status', 'Ready or NotReady, and cordons.', nodeStatusWord),
    text('Roles', 'From its node-role labels.', roles),
    ageColumn,
    text('Version', "The agent's version.", ({ status }) => status.nodeInfo?.kubeletVersion),
    wide(text('Internal-IP', 'Its address in the cluster.', (node) => address(node, 'InternalIP'))),
    wide(text('External-IP', 'Its address outside.', (node) => address(node, 'ExternalIP'))),
    system('OS-Image', 'Its distribution.', 'osImage'),
    system('Kernel-Version', 'Its kernel.', 'kernelVersion'),
    system('Container-Runtime', 'What runs containers.', 'containerRuntimeVersion'),
  ],
  validateUpdate: (next, previous, at) =>
    previous.spec.podCIDR
      ? unchanged(next.spec.podCIDR, previous.spec.podCIDR, at('spec')('podCIDR'))
      : [],
  validate: ({ spec }, at) => validateTaints(spec.taints ?? [], at('spec')('taints')),
  inherit: (next, { spec: { podCIDR, podCIDRs } }) => ({
    ...next,
    spec: { ...(podCIDR && { podCIDR }), ...(podCIDRs && { podCIDRs }), ...next.spec },
  }),
  selectableFields: { 'spec.unschedulable': ({ spec }) => String(spec.unschedulable ?? false) },
});

const validateTaints: field.Rule<readonly Taint[]> = (taints, at) => {
  const ids = taints.map(({ key, effect }) => `${key}:${effect}`);
  return field.errorsOfEach(taints, at, ({ key, value = '' }, path, index) =>
    field.errorsOf(
      field.check(path('key'), key, checkQualifiedName),
      field.check(path('value'), value, checkLabelValue),
      ids.indexOf(ids[index] ?? '') < index && field.duplicate(path, ids[index]),
    ),
  );
};

/** "Ready", "NotReady,SchedulingDisabled", "Unknown" before the first sign of life. */
function nodeStatusWord(node: Node): string {
  const ready = conditionOf(node, 'Ready');
  const word = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return node.spec.unschedulable ? `${word},SchedulingDisabled` : word;
}

type SystemField = 'osImage' | 'kernelVersion' | 'containerRuntimeVersion';

function system(name: string, about: string, field: SystemField): Column<Node> {
  return wide(text(name, about, ({ status }) => status.nodeInfo?.[field] || '<unknown>'));
}

function address({ status }: Node, type: string): string {
  return status.addresses?.find((one) => one.type === type)?.address ?? '<none>';
}

function roles({ metadata }: Node): string {
  const prefix = 'node-role.kubernetes.io/';
  const names = Object.entries(metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(prefix)) return [key.slice(prefix.length)];
    return key === 'kubernetes.io/role' && value !== '' ? [value] : [];
  });
  return names.length === 0 ? '<none>' : names.sort().join(',');
}
