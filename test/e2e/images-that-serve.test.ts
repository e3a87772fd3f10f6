import { CoreV1Api } from '@kubernetes/client-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { useDevCluster } from '../support/dev-cluster.ts';
import { deployment, idle, service, shell, shellPod } from '../support/manifests.ts';
import { containerStatus, readyPod, readyPods } from '../support/pod-states.ts';

const cluster = useDevCluster({ images: ['hello', 'nginx', 'redis'] });

beforeAll(async () => {
  const { create, until } = cluster();
  await create(shellPod('client', shell(idle)));
  await until('pods', readyPod('client'));
});

it("serves Debian's nginx through a Service", async () => {
  const { create, until, exec } = cluster();
  const nginx = {
    name: 'nginx',
    image: 'registry:5000/nginx:1',
    readinessProbe: { httpGet: { path: '/', port: 80 }, periodSeconds: 1 },
  };
  await create(deployment('nginx', nginx, { replicas: 2 }), service('nginx', 80));
  await until('pods', readyPods('nginx', 2));
  const page = await exec('client', ['wget', '-qO-', 'http://nginx']);
  expect(page.out).toContain('<title>Welcome to nginx!</title>');
});

it("serves Debian's redis: what one asks it to keep, another pod reads", async () => {
  const { create, until, exec } = cluster();
  const redis = {
    name: 'redis',
    image: 'registry:5000/redis:1',
    readinessProbe: { tcpSocket: { port: 6379 }, periodSeconds: 1 },
  };
  await create(deployment('redis', redis), service('redis', 6379, 6379));
  await until('pods', readyPods('redis', 1));
  const ask = async (...commands: readonly string[]) => {
    const lines = [...commands, 'QUIT'].map((command) => `${command}\\r\\n`).join('');
    const { out } = await exec('client', ['sh', '-c', `printf '${lines}' | nc redis 6379`]);
    return out.split('\r\n').slice(0, -2);
  };
  expect(await ask('PING', 'SET colour green')).toEqual(['+PONG', '+OK']);
  expect(await ask('GET colour')).toEqual(['$5', 'green']);
});

describe('limits', () => {
  it('end a container that takes more memory than its limit, say so, and start it again', async () => {
    const { create, until } = cluster();
    const hog = shell('x=$(head -c 200000000 /dev/zero | tr "\\0" x); echo survived; sleep 3600', {
      resources: { limits: { memory: '32Mi' } },
    });
    await create(shellPod('hog', hog));
    const status = await until('pods', (pods) => {
      const pod = pods.find(({ metadata }) => metadata?.name === 'hog');
      const main = containerStatus(pod);
      return main?.lastState?.terminated && main.state?.waiting ? main : undefined;
    });
    expect(status.lastState?.terminated).toMatchObject({ reason: 'OOMKilled', exitCode: 137 });
    expect(status.state?.waiting?.reason).toBe('CrashLoopBackOff');
    await until('pods', (pods) => {
      const pod = pods.find(({ metadata }) => metadata?.name === 'hog');
      return (containerStatus(pod)?.restartCount ?? 0) >= 1;
    });
    await cluster().remove(shellPod('hog', hog));
  });

  it('stop a fork bomb, and neither its node nor other pods on it notice', async () => {
    const { create, until, exec } = cluster();
    const bomb = shell('while :; do sleep 3600 & done', { name: 'bomb' });
    const beside = shell(idle, { name: 'beside' });
    const nodeName = 'host1';
    await create(
      shellPod('bomb', bomb, { nodeName, restartPolicy: 'Never' }),
      shellPod('neighbour', beside, { nodeName }),
    );
    await until('pods', readyPod('neighbour'));
    const said = await until('pods', (pods) =>
      pods.find(
        ({ metadata, status }) =>
          metadata?.name === 'bomb' && ['Running', 'Failed'].includes(status?.phase ?? ''),
      ),
    );
    expect(said).toBeDefined();
    const { logs } = await bombLog();
    expect(logs).toMatch(/can't fork/);
    expect(await exec('neighbour', ['echo', 'well'])).toMatchObject({ code: 0, out: 'well\n' });
    await until('nodes', (nodes) =>
      nodes.some(
        ({ metadata, status }) =>
          metadata?.name === nodeName &&
          status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
      ),
    );
    await cluster().remove(shellPod('bomb', bomb));
  });

  it('are what the kernel enforces: CPU and memory, read from the cgroup', async () => {
    const { create, until, exec } = cluster();
    const limits = { cpu: '250m', memory: '48Mi' };
    await create(shellPod('small', shell(idle, { resources: { limits } }), { nodeName: 'host1' }));
    await until('pods', readyPod('small'));
    const seconds = 2;
    const { out } = await exec('small', [
      'sh',
      '-c',
      `timeout ${seconds} sh -c 'while :; do :; done'; cat /proc/self/stat /proc/1/stat >/dev/null; times`,
    ]);
    expect(cpuSeconds(out)).toBeLessThan(0.25 * seconds * 1.8);
    expect(cpuSeconds(out)).toBeGreaterThan(0.25 * seconds * 0.4);
  });
});

/** User and system time of the children, from the second line of `times`: "0m0.480s 0m0.010s". */
function cpuSeconds(times: string): number {
  const [, children = ''] = times.trim().split('\n');
  const found = [...children.matchAll(/(\d+)m([\d.]+)s/g)];
  return found.reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds),
    0,
  );
}

async function bombLog(): Promise<{ readonly logs: string }> {
  const { client } = cluster();
  const api = client.makeApiClient(CoreV1Api);
  let logs = '';
  await expect
    .poll(
      async () => {
        logs = await api.readNamespacedPodLog({ name: 'bomb', namespace: 'default' });
        return logs.length;
      },
      { timeout: 20_000 },
    )
    .toBeGreaterThan(0);
  return { logs };
}
