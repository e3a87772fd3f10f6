import { expect, it } from 'vitest';
import type { PodAssignment } from '../../../../agent/ledger/assignment.ts';
import type { PodAction } from '../../../../agent/pods/pod-action.ts';
import { freshMemory, type PodObservation } from '../../../../agent/pods/pod-observation.ts';
import { planPod } from '../../../../agent/pods/pod-plan.ts';
import { anAssignment, exited, running, webImage } from '../../../support/a-pod.ts';
import { groundThere, nothingThere } from '../../../support/a-pod-observation.ts';

const nothing = nothingThere;
/** Everything stands, nothing runs yet; the image is there for the first start. */
const ready: PodObservation = {
  ...groundThere,
  images: new Map([['web', { state: 'present', image: webImage, attempt: 0 }]]),
};

const forAttempt = (attempt: number): PodObservation['images'] =>
  new Map([['web', { state: 'present', image: webImage, attempt }]]);
const id = (attempt: number, name = 'web') => ({ uid: 'uid-1', name, attempt });
const web = anAssignment();
const deleted = (seconds: number) =>
  anAssignment(
    {},
    { deletionTimestamp: '2026-01-01T00:00:30Z', deletionGracePeriodSeconds: seconds },
  );

function check(
  sentence: string,
  input: { desired: PodAssignment | undefined; observed: PodObservation; now?: number },
  expected: readonly PodAction[],
): void {
  it(sentence, () => {
    const observed = { ...input.observed, now: input.now ?? 0 };
    expect(planPod(input.desired, observed)).toEqual(expected);
  });
}

check(
  'pulls the image while it makes the volumes of a new pod',
  { desired: web, observed: nothing },
  [{ kind: 'pull-image', container: 'web', attempt: 0 }, { kind: 'ensure-volumes' }],
);
check(
  'makes the sandbox once the volumes are ready',
  {
    desired: web,
    observed: {
      ...nothing,
      volumes: 'ready',
      images: new Map([['web', { state: 'pulling', progress: undefined, failed: undefined }]]),
    },
  },
  [{ kind: 'create-sandbox' }],
);
check(
  'connects a sandbox that is not connected yet',
  { desired: web, observed: { ...ready, attached: false } },
  [{ kind: 'attach-network' }],
);
check(
  'leaves the network of a hostNetwork pod alone',
  {
    desired: anAssignment({ hostNetwork: true, hostUsers: true }),
    observed: { ...ready, attached: false, network: undefined },
  },
  [{ kind: 'start-container', container: 'web', attempt: 0 }],
);
check('starts a container whose image is there', { desired: web, observed: ready }, [
  { kind: 'start-container', container: 'web', attempt: 0 },
]);
check(
  'does nothing while the image is being pulled',
  {
    desired: web,
    observed: {
      ...ready,
      images: new Map([['web', { state: 'pulling', progress: undefined, failed: undefined }]]),
    },
  },
  [],
);
check(
  'waits out the back-off of a pull that failed',
  {
    desired: web,
    observed: {
      ...ready,
      images: new Map([
        [
          'web',
          {
            state: 'failed',
            failures: 1,
            reason: 'ErrImagePull',
            message: 'no',
            retryAtMs: 10_000,
          },
        ],
      ]),
    },
    now: 4000,
  },
  [{ kind: 'wait', untilMs: 10_000 }],
);
const debugged = anAssignment({ ephemeralContainers: [{ name: 'look', image: 'web:1' }] });
const looked: PodObservation = {
  ...ready,
  images: new Map(
    ['web', 'look'].map((name) => [name, { state: 'present', image: webImage, attempt: 0 }]),
  ),
};
check(
  'starts an ephemeral container beside what runs, and beside what waits',
  {
    desired: debugged,
    observed: { ...looked, containers: [exited('web', 0, { exitCode: 1, at: 0 })] },
  },
  [
    { kind: 'pull-image', container: 'web', attempt: 1 },
    { kind: 'start-container', container: 'look', attempt: 0 },
  ],
);
check(
  'does not start an ephemeral container again, however it ended',
  {
    desired: debugged,
    observed: {
      ...looked,
      containers: [running('web', 0), exited('look', 0, { exitCode: 1, at: 0 })],
    },
  },
  [],
);
check(
  'does not start an ephemeral container again in another sandbox',
  {
    desired: debugged,
    observed: {
      ...looked,
      memory: new Map([['look', { ...freshMemory, lost: running('look', 0) }]]),
      containers: [running('web', 1)],
    },
  },
  [],
);
check(
  'stops an ephemeral container when the pod has finished',
  {
    desired: anAssignment({ ...debugged.pod.spec, restartPolicy: 'Never' }),
    observed: {
      ...looked,
      containers: [exited('web', 0, { exitCode: 0, at: 0 }), running('look', 0)],
    },
  },
  [{ kind: 'stop-container', id: id(0, 'look'), because: '' }],
);
check(
  'leaves a running container alone',
  { desired: web, observed: { ...ready, containers: [running('web', 0)] } },
  [],
);
check(
  'makes sure of the image before a restart',
  { desired: web, observed: { ...ready, containers: [exited('web', 0, { exitCode: 1, at: 0 })] } },
  [{ kind: 'pull-image', container: 'web', attempt: 1 }],
);
check(
  'restarts at once after the first crash',
  {
    desired: web,
    observed: {
      ...ready,
      containers: [exited('web', 0, { exitCode: 1, at: 0 })],
      images: forAttempt(1),
    },
    now: 1,
  },
  [{ kind: 'start-container', container: 'web', attempt: 1 }],
);
check(
  'waits 20 s after the end of the second crash in a row',
  {
    desired: web,
    observed: {
      ...ready,
      containers: [exited('web', 2, { exitCode: 1, at: 5000 })],
      images: forAttempt(3),
      memory: new Map([['web', { ...freshMemory, streak: 2 }]]),
    },
    now: 6000,
  },
  [{ kind: 'wait', untilMs: 25_000, restart: { container: 'web', attempt: 3 } }],
);
check(
  'restarts a failed container after its back-off has passed, and forgets attempts before the last',
  {
    desired: web,
    observed: {
      ...ready,
      containers: [
        exited('web', 0, { exitCode: 1, at: 0 }),
        exited('web', 1, { exitCode: 1, at: 0 }),
        exited('web', 2, { exitCode: 1, at: 5000 }),
      ],
      images: forAttempt(3),
      memory: new Map([['web', { ...freshMemory, streak: 2 }]]),
    },
    now: 25_000,
  },
  [
    { kind: 'start-container', container: 'web', attempt: 3 },
    { kind: 'remove-container', id: id(0) },
  ],
);
check(
  'does not restart what succeeded under OnFailure',
  {
    desired: anAssignment({ restartPolicy: 'OnFailure' }),
    observed: { ...ready, containers: [exited('web', 0, { exitCode: 0, at: 0 })] },
  },
  [],
);
check(
  'does not restart what failed under Never',
  {
    desired: anAssignment({ restartPolicy: 'Never' }),
    observed: { ...ready, containers: [exited('web', 0, { exitCode: 3, at: 0 })] },
  },
  [],
);

const withInit = anAssignment({
  initContainers: [
    { name: 'one', image: 'web:1' },
    { name: 'two', image: 'web:1' },
  ],
});
const initImages = new Map(
  ['one', 'two', 'web'].map((name) => [
    name,
    { state: 'present', image: webImage, attempt: 9 } as const,
  ]),
);
check(
  'starts init containers first',
  { desired: withInit, observed: { ...ready, images: initImages } },
  [{ kind: 'start-container', container: 'one', attempt: 0 }],
);
check(
  'starts the next init container after the one before succeeded',
  {
    desired: withInit,
    observed: {
      ...ready,
      images: initImages,
      containers: [exited('one', 0, { exitCode: 0, at: 0 })],
    },
  },
  [{ kind: 'start-container', container: 'two', attempt: 0 }],
);
check(
  'starts the containers when every init container has succeeded',
  {
    desired: withInit,
    observed: {
      ...ready,
      images: initImages,
      containers: ['one', 'two'].map((name) => exited(name, 0, { exitCode: 0, at: 0 })),
    },
  },
  [{ kind: 'start-container', container: 'web', attempt: 0 }],
);
check(
  'gives up when an init container failed under Never',
  {
    desired: {
      ...withInit,
      pod: { ...withInit.pod, spec: { ...withInit.pod.spec, restartPolicy: 'Never' } },
    },
    observed: {
      ...ready,
      images: initImages,
      containers: [exited('one', 0, { exitCode: 1, at: 0 })],
    },
  },
  [],
);
check(
  'stops a container whose liveness probe failed',
  {
    desired: web,
    observed: {
      ...ready,
      containers: [running('web', 0)],
      probes: new Map([['web', { startup: undefined, readiness: undefined, liveness: false }]]),
    },
  },
  [
    {
      kind: 'stop-container',
      id: id(0),
      because: 'Container web failed liveness probe, will be restarted',
    },
  ],
);

check(
  'asks the containers of a deleted pod to end',
  { desired: deleted(30), observed: { ...ready, containers: [running('web', 0)] } },
  [{ kind: 'stop-container', id: id(0), because: '' }],
);
const stopping = (killed: boolean): PodObservation => ({
  ...ready,
  containers: [running('web', 0)],
  memory: new Map([['web', { ...freshMemory, stop: { id: id(0), sentAtMs: 1000, killed } }]]),
});
check(
  'waits for them as long as the grace period',
  { desired: deleted(30), observed: stopping(false), now: 2000 },
  [{ kind: 'wait', untilMs: 31_000 }],
);
check(
  'kills them when the grace has passed',
  { desired: deleted(30), observed: stopping(false), now: 31_000 },
  [{ kind: 'kill-container', id: id(0) }],
);
check(
  'waits less when the grace was shortened',
  { desired: deleted(1), observed: stopping(false), now: 2000 },
  [{ kind: 'kill-container', id: id(0) }],
);
check(
  'waits for the kernel after it has killed them',
  { desired: deleted(0), observed: stopping(true), now: 99_000 },
  [],
);
check(
  'takes everything down once they have ended',
  {
    desired: deleted(30),
    observed: {
      ...ready,
      volumes: 'stale',
      containers: [exited('web', 0, { exitCode: 0, at: 0 })],
    },
  },
  [{ kind: 'detach-network' }, { kind: 'remove-sandbox' }, { kind: 'remove-volumes' }],
);
check(
  'has nothing left to do when all of it is gone',
  { desired: deleted(30), observed: { ...nothing, volumes: 'none' } },
  [],
);
check(
  'ends what is no longer assigned, with two seconds of grace',
  { desired: undefined, observed: stopping(false), now: 1500 },
  [{ kind: 'wait', untilMs: 3000 }],
);
check(
  'removes a lost sandbox before it makes another, and keeps its volumes and address',
  {
    desired: web,
    observed: {
      ...ready,
      sandbox: {
        uid: 'uid-1',
        state: 'lost',
        networkNamespace: undefined,
        userNamespace: undefined,
      },
    },
  },
  [{ kind: 'remove-sandbox' }],
);
check(
  'counts restarts on over a lost sandbox',
  {
    desired: web,
    observed: {
      ...ready,
      images: forAttempt(4),
      memory: new Map([['web', { ...freshMemory, lost: { ...running('web', 3), state: 'lost' } }]]),
    },
  },
  [{ kind: 'start-container', container: 'web', attempt: 4 }],
);
