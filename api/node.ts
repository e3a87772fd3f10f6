import { conditionFields } from './condition.ts';
import * as field from './field-error.ts';
import { errorsOf, errorsOfEach, type Rule } from './field-error.ts';
import { unchanged } from './immutable.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { checkLabelValue, checkQualifiedName } from './names.ts';
import { nodeColumns } from './node-columns.ts';
import * as s from './schema.ts';

const taintFields = {
  key: s.required(s.str()),
  value: s.str(),
  effect: s.required(s.str({ values: ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] })),
  timeAdded: s.time({ about: 'With NoExecute: since when.' }),
};

const specFields = {
  podCIDR: s.str({ about: "Addresses of the node's pods; given by the controller." }),
  podCIDRs: s.list(s.str()),
  providerID: s.str(),
  unschedulable: s.bool({ about: 'No new pods: kubectl cordon.' }),
  taints: s.list(s.obj(taintFields), { about: 'Keep away pods that do not tolerate them.' }),
  ...s.unsupportedFields('configSource externalID'),
};

const nodeConditionFields = {
  ...conditionFields,
  type: s.required(s.str({ about: 'Ready, MemoryPressure, DiskPressure, PIDPressure, …' })),
  lastHeartbeatTime: s.time(),
};

const systemFields = {
  machineID: s.defaulted(s.str(), ''),
  systemUUID: s.defaulted(s.str(), ''),
  bootID: s.defaulted(s.str(), ''),
  kernelVersion: s.defaulted(s.str(), ''),
  osImage: s.defaulted(s.str(), ''),
  containerRuntimeVersion: s.defaulted(s.str(), ''),
  kubeletVersion: s.defaulted(s.str({ about: "The agent's version." }), ''),
  kubeProxyVersion: s.str(),
  operatingSystem: s.defaulted(s.str(), ''),
  architecture: s.defaulted(s.str(), ''),
  swap: s.obj({ capacity: s.int() }),
};

const statusFields = {
  capacity: s.map(s.quantity()),
  allocatable: s.map(s.quantity(), {
    about: 'What the scheduler may give out: cpu, memory, pods.',
  }),
  phase: s.str(),
  conditions: s.listMap(s.obj(nodeConditionFields), { keys: ['type'] }),
  addresses: s.listMap(
    s.obj({
      type: s.required(s.str({ values: ['Hostname', 'InternalIP', 'ExternalIP', 'InternalDNS'] })),
      address: s.required(s.str()),
    }),
    { keys: ['type'] },
  ),
  daemonEndpoints: s.obj({ kubeletEndpoint: s.obj({ Port: s.required(s.int()) }) }),
  nodeInfo: s.obj(systemFields),
  images: s.list(s.obj({ names: s.list(s.str()), sizeBytes: s.int({ min: 0, max: 2 ** 53 - 1 }) })),
  runtimeHandlers: s.list(
    s.obj({ name: s.defaulted(s.str(), ''), ...s.unsupportedFields('features') }),
  ),
  ...s.unsupportedFields('config features volumesAttached volumesInUse'),
};

const fields = {
  spec: s.defaulted(s.obj(specFields), {}),
  status: s.defaulted(s.obj(statusFields), {}),
};

export type Node = KubeObject<typeof fields>;
export type Taint = s.ObjectOf<typeof taintFields>;
export type NodeCondition = s.ObjectOf<typeof nodeConditionFields>;

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

const validateTaints: Rule<readonly Taint[]> = (taints, at) => {
  const ids = taints.map(({ key, effect }) => `${key}:${effect}`);
  return errorsOfEach(taints, at, ({ key, value = '' }, path, index) =>
    errorsOf(
      field.check(path('key'), key, checkQualifiedName),
      field.check(path('value'), value, checkLabelValue),
      ids.indexOf(ids[index] ?? '') < index && field.duplicate(path, ids[index]),
    ),
  );
};
