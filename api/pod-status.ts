import { conditionFields } from './condition.ts';
import * as s from './schema.ts';

const containerStateFields = {
  waiting: s.obj({
    reason: s.str({ about: 'CrashLoopBackOff, ErrImagePull, ImagePullBackOff, …' }),
    message: s.str(),
  }),
  running: s.obj({ startedAt: s.time() }),
  terminated: s.obj({
    exitCode: s.required(s.int()),
    signal: s.int(),
    reason: s.str({ about: 'Completed, Error, OOMKilled, …' }),
    message: s.str(),
    startedAt: s.time(),
    finishedAt: s.time(),
    containerID: s.str(),
  }),
};

const containerStatusFields = {
  name: s.required(s.str()),
  state: s.defaulted(
    s.obj(containerStateFields, { about: 'Exactly one; none means waiting.' }),
    {},
  ),
  lastState: s.defaulted(s.obj(containerStateFields, { about: 'How the run before ended.' }), {}),
  ready: s.defaulted(s.bool(), false),
  restartCount: s.defaulted(s.int({ min: 0 }), 0),
  image: s.defaulted(s.str(), ''),
  imageID: s.defaulted(s.str(), ''),
  containerID: s.str(),
  started: s.bool({ about: 'The startup probe has succeeded.' }),
  ...s.unsupportedFields(
    'allocatedResources allocatedResourcesStatus resources stopSignal user volumeMounts',
  ),
};

const podConditionFields = {
  ...conditionFields,
  type: s.required(s.str({ about: 'PodScheduled, Initialized, ContainersReady, Ready, …' })),
  lastProbeTime: s.time(),
  observedGeneration: s.long(),
};

/** Written by the node's agent, but for the PodScheduled condition (scheduler) and NodeLost (node lifecycle). */
export const podStatusFields = {
  phase: s.defaulted(
    s.str({ values: ['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown'] }),
    'Pending',
  ),
  conditions: s.listMap(s.obj(podConditionFields), { keys: ['type'] }),
  reason: s.str({ about: 'Why, in one word: Evicted, NodeLost, …' }),
  message: s.str(),
  hostIP: s.str(),
  hostIPs: s.list(s.obj({ ip: s.required(s.str()) })),
  podIP: s.str(),
  podIPs: s.listMap(s.obj({ ip: s.required(s.str()) }), { keys: ['ip'] }),
  startTime: s.time({ about: 'When the agent took it up.' }),
  initContainerStatuses: s.list(s.obj(containerStatusFields)),
  containerStatuses: s.list(s.obj(containerStatusFields)),
  qosClass: s.str({ values: ['Guaranteed', 'Burstable', 'BestEffort'] }),
  nominatedNodeName: s.str(),
  observedGeneration: s.long(),
  ...s.unsupportedFields(
    'ephemeralContainerStatuses extendedResourceClaimStatus resize resourceClaimStatuses',
  ),
};

export type PodStatus = s.ObjectOf<typeof podStatusFields>;
export type PodCondition = s.ObjectOf<typeof podConditionFields>;
export type ContainerStatus = s.ObjectOf<typeof containerStatusFields>;
export type ContainerState = s.ObjectOf<typeof containerStateFields>;
