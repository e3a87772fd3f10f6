import { conditionFields } from './condition.ts';
import * as s from './schema.ts';

const containerStateFields = {
  waiting: s.obj({
    reason: s.str().doc('CrashLoopBackOff, ErrImagePull, ImagePullBackOff, …'),
    message: s.str(),
  }),
  running: s.obj({ startedAt: s.time() }),
  terminated: s.obj({
    exitCode: s.int().required(),
    signal: s.int(),
    reason: s.str().doc('Completed, Error, OOMKilled, …'),
    message: s.str(),
    ...s.all(s.time(), 'startedAt', 'finishedAt'),
    containerID: s.str(),
  }),
};

const containerStatusFields = {
  name: s.str().required(),
  state: s.obj(containerStateFields).doc('Exactly one; none means waiting.').default({}),
  lastState: s.obj(containerStateFields).doc('How the run before ended.').default({}),
  ready: s.bool().default(false),
  restartCount: s.int({ min: 0 }).default(0),
  ...s.all(s.str().default(''), 'image', 'imageID'),
  containerID: s.str(),
  started: s.bool().doc('The startup probe has succeeded.'),
  ...s.unsupportedFields(
    'allocatedResources allocatedResourcesStatus resources stopSignal user volumeMounts',
  ),
};

const podConditionFields = {
  ...conditionFields,
  type: s.str().doc('PodScheduled, Initialized, ContainersReady, Ready, …').required(),
  lastProbeTime: s.time(),
  observedGeneration: s.long(),
};

/** Written by the node's agent, but for the PodScheduled condition (scheduler) and NodeLost (node lifecycle). */
export const podStatusFields = {
  phase: s
    .str({ values: ['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown'] })
    .default('Pending'),
  conditions: s.listMap(s.obj(podConditionFields), 'type'),
  reason: s.str().doc('Why, in one word: Evicted, NodeLost, …'),
  ...s.all(s.str(), 'message', 'hostIP'),
  hostIPs: s.list(s.obj({ ip: s.str().required() })),
  podIP: s.str(),
  podIPs: s.listMap(s.obj({ ip: s.str().required() }), 'ip'),
  startTime: s.time().doc('When the agent took it up.'),
  ...s.all(
    s.list(s.obj(containerStatusFields)),
    ...(['initContainerStatuses', 'containerStatuses', 'ephemeralContainerStatuses'] as const),
  ),
  qosClass: s.str({ values: ['Guaranteed', 'Burstable', 'BestEffort'] }),
  nominatedNodeName: s.str(),
  observedGeneration: s.long(),
  ...s.unsupportedFields('extendedResourceClaimStatus resize resourceClaimStatuses'),
};

export type PodStatus = s.ObjectOf<typeof podStatusFields>;
export type PodCondition = s.ObjectOf<typeof podConditionFields>;
export type ContainerStatus = s.ObjectOf<typeof containerStatusFields>;
export type ContainerState = s.ObjectOf<typeof containerStateFields>;
