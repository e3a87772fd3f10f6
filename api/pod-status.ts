import { conditionFields } from './condition.ts';
import {
  bool,
  defaulted,
  int,
  list,
  listMap,
  long,
  type ObjectOf,
  obj,
  required,
  str,
  time,
  unsupportedFields,
} from './schema.ts';

const containerStateFields = {
  waiting: obj({
    reason: str({ about: 'CrashLoopBackOff, ErrImagePull, ImagePullBackOff, …' }),
    message: str(),
  }),
  running: obj({ startedAt: time() }),
  terminated: obj({
    exitCode: required(int()),
    signal: int(),
    reason: str({ about: 'Completed, Error, OOMKilled, …' }),
    message: str(),
    startedAt: time(),
    finishedAt: time(),
    containerID: str(),
  }),
};

const containerStatusFields = {
  name: required(str()),
  state: defaulted(obj(containerStateFields, { about: 'Exactly one; none means waiting.' }), {}),
  lastState: defaulted(obj(containerStateFields, { about: 'How the run before ended.' }), {}),
  ready: defaulted(bool(), false),
  restartCount: defaulted(int({ min: 0 }), 0),
  image: defaulted(str(), ''),
  imageID: defaulted(str(), ''),
  containerID: str(),
  started: bool({ about: 'The startup probe has succeeded.' }),
  ...unsupportedFields(
    'allocatedResources',
    'allocatedResourcesStatus',
    'resources',
    'stopSignal',
    'user',
    'volumeMounts',
  ),
};

const podConditionFields = {
  ...conditionFields,
  type: required(str({ about: 'PodScheduled, Initialized, ContainersReady, Ready, …' })),
  lastProbeTime: time(),
  observedGeneration: long(),
};

/** Written by the node's agent, but for the PodScheduled condition (scheduler) and NodeLost (node lifecycle). */
export const podStatusFields = {
  phase: defaulted(
    str({ values: ['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown'] }),
    'Pending',
  ),
  conditions: listMap(obj(podConditionFields), { keys: ['type'] }),
  reason: str({ about: 'Why, in one word: Evicted, NodeLost, …' }),
  message: str(),
  hostIP: str(),
  hostIPs: list(obj({ ip: required(str()) })),
  podIP: str(),
  podIPs: listMap(obj({ ip: required(str()) }), { keys: ['ip'] }),
  startTime: time({ about: 'When the agent took it up.' }),
  initContainerStatuses: list(obj(containerStatusFields)),
  containerStatuses: list(obj(containerStatusFields)),
  qosClass: str({ values: ['Guaranteed', 'Burstable', 'BestEffort'] }),
  nominatedNodeName: str(),
  observedGeneration: long(),
  ...unsupportedFields(
    'ephemeralContainerStatuses',
    'extendedResourceClaimStatus',
    'resize',
    'resourceClaimStatuses',
  ),
};

export type PodStatus = ObjectOf<typeof podStatusFields>;
export type PodCondition = ObjectOf<typeof podConditionFields>;
export type ContainerStatus = ObjectOf<typeof containerStatusFields>;
export type ContainerState = ObjectOf<typeof containerStateFields>;
