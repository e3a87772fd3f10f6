import type { PodObservation } from '../../agent/pods/pod-observation.ts';

/** Nothing of the pod is there. */
export const nothingThere: PodObservation = {
  now: 0,
  sandbox: undefined,
  network: undefined,
  attached: false,
  volumes: 'stale',
  containers: [],
  images: new Map(),
  memory: new Map(),
  probes: new Map(),
  blocked: undefined,
};

/** Volumes, sandbox and network are; no container yet. */
export const groundThere: PodObservation = {
  ...nothingThere,
  volumes: 'ready',
  sandbox: {
    uid: 'uid-1',
    state: 'ready',
    networkNamespace: '/proc/9/fd/3',
    userNamespace: undefined,
  },
  network: { uid: 'uid-1', podIp: '10.244.0.2' },
  attached: true,
};
