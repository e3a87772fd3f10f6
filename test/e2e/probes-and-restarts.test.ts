import type { V1Pod } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { useDevCluster } from '../support/dev-cluster.ts';
import { helloContainer, idle, service, shell, shellPod } from '../support/manifests.ts';
import { containerStatus, isReady, podIn, readyPod } from '../support/pod-states.ts';

const cluster = useDevCluster({ nodes: 1 });

const named = (name: string) => (pods: readonly V1Pod[]) =>
  pods.find(({ metadata }) => metadata?.name === name);

const fileExists = (file: string) => ({
  ...{ exec: { command: ['test', '-e', file] }, periodSeconds: 1 },
});

describe('a readiness probe', () => {
  it('decides whether a pod is an endpoint of its Service', async () => {
    const { create, until, exec } = cluster();
    const readinessProbe = { ...fileExists('/tmp/ready'), failureThreshold: 1 };
    const pod = shellPod('gated', helloContainer({ readinessProbe }));
    await create(pod, service('gated', 'http'));
    const running = await until('pods', (pods) => {
      const found = named('gated')(pods);
      return containerStatus(found)?.started ? found : undefined;
    });
    expect(isReady(running)).toBe(false);
    expect(await readyAddresses('gated', 0)).toEqual([]);
    await exec('gated', ['touch', '/tmp/ready']);
    await until('pods', readyPod('gated'));
    expect(await readyAddresses('gated', 1)).toEqual([running.status?.podIP]);
    await exec('gated', ['rm', '/tmp/ready']);
    await until('pods', (pods) => !readyPod('gated')(pods));
    expect(await readyAddresses('gated', 0)).toEqual([]);
    const after = await until('pods', named('gated'));
    expect(containerStatus(after)?.restartCount).toBe(0);
  });

  const readyAddresses = (of: string, count: number) =>
    cluster().until('endpointslices', (slices) => {
      const own = slices.filter(
        ({ metadata }) => metadata?.labels?.['kubernetes.io/service-name'] === of,
      );
      const ready = own
        .flatMap(({ endpoints }) => endpoints ?? [])
        .filter(({ conditions }) => conditions?.ready);
      return own.length > 0 && ready.length === count
        ? ready.flatMap(({ addresses }) => addresses)
        : undefined;
    });
});

describe('a liveness probe', () => {
  it('has a container that fails it ended and started again, and an event says why', async () => {
    const { create, until, exec } = cluster();
    const livenessProbe = { ...fileExists('/tmp/alive'), failureThreshold: 2 };
    await create(shellPod('mortal', shell(`touch /tmp/alive; ${idle}`, { livenessProbe })));
    await until('pods', readyPod('mortal'));
    await exec('mortal', ['rm', '/tmp/alive']);
    await until('pods', (pods) => (containerStatus(named('mortal')(pods))?.restartCount ?? 0) > 0);
    const event = await until('events', (events) =>
      events.find(
        ({ reason, involvedObject }) => reason === 'Unhealthy' && involvedObject.name === 'mortal',
      ),
    );
    expect(event.message).toMatch(/^Liveness probe failed/);
  });

  it('waits for the startup probe', async () => {
    const { create, until, exec } = cluster();
    const startupProbe = { ...fileExists('/tmp/started'), failureThreshold: 60 };
    const livenessProbe = { ...fileExists('/tmp/started'), failureThreshold: 1 };
    await create(shellPod('slow', shell(idle, { startupProbe, livenessProbe })));
    await until('pods', podIn('slow', 'Running'));
    await expect.poll(() => secondsUp('slow'), { timeout: 10_000 }).toBeGreaterThan(3);
    const waiting = containerStatus(await until('pods', named('slow')));
    expect(waiting).toMatchObject({ started: false, ready: false, restartCount: 0 });
    await exec('slow', ['touch', '/tmp/started']);
    const ready = await until('pods', readyPod('slow'));
    expect(containerStatus(ready)).toMatchObject({ started: true, restartCount: 0 });
  });
});

/** How long a pod's first process has run by the kernel's clock, in seconds. */
async function secondsUp(pod: string): Promise<number> {
  const script = 'cut -d " " -f 1 /proc/uptime; cut -d " " -f 22 /proc/1/stat';
  const { out } = await cluster().exec(pod, ['sh', '-c', script]);
  const [now = 0, startedTicks = 0] = out.split('\n').map(Number);
  return now - startedTicks / 100;
}

describe('a container that ends', () => {
  const ends = (name: string, script: string, restartPolicy: string) =>
    cluster().create(shellPod(name, shell(script), { restartPolicy }));

  it.for([
    ['Never', 'exit 0', 'Succeeded', { exitCode: 0, reason: 'Completed' }],
    ['Never', 'exit 7', 'Failed', { exitCode: 7, reason: 'Error' }],
    [
      'Never',
      'kill -9 $$; sleep 9 & kill -9 $!; exit 9',
      'Failed',
      { exitCode: 9, reason: 'Error' },
    ],
    ['OnFailure', 'exit 0', 'Succeeded', { exitCode: 0, reason: 'Completed' }],
  ] as const)(
    'is not started again with restartPolicy %s after "%s": the pod has %s',
    async ([policy, script, phase, terminated]) => {
      const name = `ends-${policy.toLowerCase()}-${terminated.exitCode}`;
      await ends(name, script, policy);
      const pod = await cluster().until('pods', podIn(name, phase));
      expect(containerStatus(pod)).toMatchObject({ restartCount: 0, state: { terminated } });
    },
  );

  it('is started again after a failure with OnFailure', async () => {
    await ends(
      'again',
      'test -e /dev/shm/second || { touch /dev/shm/second; exit 5; }',
      'OnFailure',
    );
    const pod = await cluster().until('pods', podIn('again', 'Succeeded'), 30_000);
    expect(containerStatus(pod)).toMatchObject({
      restartCount: 1,
      state: { terminated: { exitCode: 0 } },
      lastState: { terminated: { exitCode: 5, reason: 'Error' } },
    });
  });

  it('is started again later each time, and says CrashLoopBackOff meanwhile', async () => {
    await ends('crashing', 'echo up; exit 4', 'Always');
    const { until } = cluster();
    const status = await until('pods', (pods) => {
      const found = containerStatus(named('crashing')(pods));
      return (found?.restartCount ?? 0) >= 1 && found?.state?.waiting ? found : undefined;
    });
    expect(status).toMatchObject({
      state: {
        waiting: { reason: 'CrashLoopBackOff', message: expect.stringMatching(/back-off/) },
      },
      lastState: { terminated: { exitCode: 4 } },
    });
    const event = await until('events', (events) =>
      events.find(
        ({ reason, involvedObject }) => reason === 'BackOff' && involvedObject.name === 'crashing',
      ),
    );
    expect(event.type).toBe('Warning');
  });
});

describe('an image', () => {
  it('that is not there leaves the pod in ImagePullBackOff with what the registry said', async () => {
    const { create, until } = cluster();
    await create(shellPod('missing', shell(idle, { image: 'registry:5000/hello:none' })));
    await until('events', (events) =>
      events.some(
        ({ reason, involvedObject, message }) =>
          reason === 'Failed' &&
          involvedObject.name === 'missing' &&
          /"registry:5000\/hello:none".*manifest unknown/i.test(message ?? ''),
      ),
    );
    await until('pods', (pods) => {
      const waiting = containerStatus(named('missing')(pods))?.state?.waiting;
      return (
        waiting?.reason === 'ImagePullBackOff' && /manifest unknown/i.test(waiting.message ?? '')
      );
    });
  });

  it('with imagePullPolicy Never must be on the host already', async () => {
    const { create, until } = cluster();
    const image = { imagePullPolicy: 'Never' };
    await create(shellPod('here', shell(idle, image)));
    await until('pods', readyPod('here'));
    await create(shellPod('absent', shell(idle, { ...image, image: 'registry:5000/hello:none' })));
    const waiting = await until('pods', (pods) => {
      const state = containerStatus(named('absent')(pods))?.state?.waiting;
      return state?.message ? state : undefined;
    });
    expect(waiting.reason).toBe('ErrImageNeverPull');
  });

  it('on the host is not pulled again with IfNotPresent, even if the registry is gone', async () => {
    const { create, until, host } = cluster();
    const cut = await host('registry').exec('ip', 'link', 'set', 'eth0', 'down');
    expect(cut).toMatchObject({ code: 0 });
    await create(shellPod('kept', shell(idle, { imagePullPolicy: 'IfNotPresent' })));
    await until('pods', readyPod('kept'));
  });
});
