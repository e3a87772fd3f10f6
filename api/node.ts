import { conditionFields } from './condition.ts';
import {
  duplicateField,
  errorsOf,
  errorsOfEach,
  type FieldError,
  type FieldPath,
  invalidBecause,
} from './field-error.ts';
import { unchanged } from './immutable.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { checkLabelValue, checkQualifiedName } from './names.ts';
import { nodeColumns } from './node-columns.ts';
import {
  bool,
  defaulted,
  int,
  list,
  listMap,
  map,
  type ObjectOf,
  obj,
  quantity,
  required,
  str,
  time,
  unsupportedFields,
} from './schema.ts';

const taintFields = {
  key: required(str()),
  value: str(),
  effect: required(str({ values: ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] })),
  timeAdded: time({ about: 'With NoExecute: since when.' }),
};

const specFields = {
  podCIDR: str({ about: "Addresses of the node's pods; given by the controller." }),
  podCIDRs: list(str()),
  providerID: str(),
  unschedulable: bool({ about: 'No new pods: kubectl cordon.' }),
  taints: list(obj(taintFields), { about: 'Keep away pods that do not tolerate them.' }),
  ...unsupportedFields('configSource', 'externalID'),
};

const nodeConditionFields = {
  ...conditionFields,
  type: required(str({ about: 'Ready, MemoryPressure, DiskPressure, PIDPressure, …' })),
  lastHeartbeatTime: time(),
};

const systemFields = {
  machineID: defaulted(str(), ''),
  systemUUID: defaulted(str(), ''),
  bootID: defaulted(str(), ''),
  kernelVersion: defaulted(str(), ''),
  osImage: defaulted(str(), ''),
  containerRuntimeVersion: defaulted(str(), ''),
  kubeletVersion: defaulted(str({ about: "The agent's version." }), ''),
  kubeProxyVersion: str(),
  operatingSystem: defaulted(str(), ''),
  architecture: defaulted(str(), ''),
  swap: obj({ capacity: int() }),
};

const statusFields = {
  capacity: map(quantity()),
  allocatable: map(quantity(), { about: 'What the scheduler may give out: cpu, memory, pods.' }),
  phase: str(),
  conditions: listMap(obj(nodeConditionFields), { keys: ['type'] }),
  addresses: listMap(
    obj({
      type: required(str({ values: ['Hostname', 'InternalIP', 'ExternalIP', 'InternalDNS'] })),
      address: required(str()),
    }),
    { keys: ['type'] },
  ),
  daemonEndpoints: obj({ kubeletEndpoint: obj({ Port: required(int()) }) }),
  nodeInfo: obj(systemFields),
  images: list(obj({ names: list(str()), sizeBytes: int({ min: 0, max: 2 ** 53 - 1 }) })),
  runtimeHandlers: list(obj({ name: defaulted(str(), ''), ...unsupportedFields('features') })),
  ...unsupportedFields('config', 'features', 'volumesAttached', 'volumesInUse'),
};

const fields = {
  spec: defaulted(obj(specFields), {}),
  status: defaulted(obj(statusFields), {}),
};

export type Node = KubeObject<typeof fields>;
export type Taint = ObjectOf<typeof taintFields>;
export type NodeCondition = ObjectOf<typeof nodeConditionFields>;

export const Node: Kind<typeof fields> = kind({
  group: '',
  kind: 'Node',
  shortNames: ['no'],
  namespaced: false,
  about: 'A machine that runs pods. Made by the controller when an agent first joins.',
  subresources: ['status'],
  fields,
  claims: ({ spec }) =>
    spec.podCIDR ? [{ key: `pod-cidr/${spec.podCIDR}`, path: 'spec.podCIDR' }] : [],
  columns: nodeColumns,
  validateUpdate: (next, previous, at) =>
    previous.spec.podCIDR
      ? unchanged(next.spec.podCIDR, previous.spec.podCIDR, at('spec')('podCIDR'))
      : [],
  validate: ({ spec }, at) => validateTaints(spec.taints ?? [], at('spec')('taints')),
  inherit: (next, { spec: { podCIDR, podCIDRs } }) => ({
    ...next,
    spec: { ...(podCIDR && { podCIDR }), ...(podCIDRs && { podCIDRs }), ...next.spec },
  }),
  selectableFields: {
    'spec.unschedulable': ({ spec }) => String(spec.unschedulable ?? false),
  },
});

function validateTaints(taints: readonly Taint[], at: FieldPath): readonly FieldError[] {
  const ids = taints.map(({ key, effect }) => `${key}:${effect}`);
  return errorsOfEach(taints, at, ({ key, value = '' }, path, index) =>
    errorsOf(
      invalidBecause(path('key'), key, checkQualifiedName(key)),
      invalidBecause(path('value'), value, checkLabelValue(value)),
      ids.indexOf(ids[index] ?? '') < index && duplicateField(path, ids[index]),
    ),
  );
}
