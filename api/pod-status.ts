import { conditionFields } from './condition.ts';
import * as s from './schema.ts';

const containerStateFields = {
  waiting: s.obj({
    reason: s.str().doc('CrashLoopBackOff, ErrImagePull, ImagePullBackOff, …'),
    message: s.str().doc('The same in a sentence.'),
  }),
  running: s.obj({ startedAt: s.time().doc('Since when.') }),
  terminated: s.obj({
    exitCode: s.int().doc('0 is success; 128 and a signal if one ended it.').required(),
    signal: s.int().doc('What ended it.'),
    reason: s.str().doc('Completed, Error, OOMKilled, …'),
    message: s.str().doc('What it left in /dev/termination-log.'),
    ...s.all(s.time().doc('Of the run that is over.'), 'startedAt', 'finishedAt'),
    containerID: s.str().doc('Of the run that is over.'),
  }),
};

const containerStatusFields = {
  name: s.str().doc('Of the container.').required(),
  state: s.obj(containerStateFields).doc('Exactly one; none means waiting.').default({}),
  lastState: s.obj(containerStateFields).doc('How the run before ended.').default({}),
  ready: s.bool().doc('It runs, and its readiness probe succeeds.').default(false),
  restartCount: s.int({ min: 0 }).doc('How often it was started again.').default(0),
  ...s.all(s.str().doc('What it runs from.').default(''), 'image', 'imageID'),
  containerID: s.str().doc('Of this run.'),
  started: s.bool().doc('The startup probe has succeeded.'),
  ...s.unsupportedFields(
    'allocatedResources allocatedResourcesStatus resources stopSignal user volumeMounts',
  ),
};

const statuses = s.list(s.obj(containerStatusFields)).doc('How each container is.');

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
    .doc('How far it is in its life.')
    .default('Pending'),
  conditions: s.listMap(s.obj(podConditionFields), 'type').doc('What holds of it, since when.'),
  reason: s.str().doc('Why, in one word: Evicted, NodeLost, …'),
  message: s.str().doc('Why, in a sentence.'),
  hostIP: s.str().doc("Its node's address."),
  hostIPs: s.list(s.obj({ ip: s.str().required() })).doc('The same as a list.'),
  podIP: s.str().doc('Its own address.'),
  podIPs: s.listMap(s.obj({ ip: s.str().required() }), 'ip').doc('The same as a list.'),
  startTime: s.time().doc('When the agent took it up.'),
  ...s.all(statuses, 'initContainerStatuses', 'containerStatuses', 'ephemeralContainerStatuses'),
  qosClass: s
    .str({ values: ['Guaranteed', 'Burstable', 'BestEffort'] })
    .doc('By its requests and limits: who goes last when a node runs out of memory.'),
  nominatedNodeName: s.str(),
  observedGeneration: s.long(),
  ...s.unsupportedFields('extendedResourceClaimStatus resize resourceClaimStatuses'),
};

export type PodStatus = s.ObjectOf<typeof podStatusFields>;
export type PodCondition = s.ObjectOf<typeof podConditionFields>;
export type ContainerStatus = s.ObjectOf<typeof containerStatusFields>;
export type ContainerState = s.ObjectOf<typeof containerStateFields>;
