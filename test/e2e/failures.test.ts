import { renameSync } from 'node:fs';
import { cp, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { V1Node, V1Pod, V1Service } from '@kubernetes/client-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { busyboxBinary } from '../support/busybox.ts';
import { useDevCluster } from '../support/dev-cluster.ts';
import { findProcess } from '../support/find-process.ts';
import {
  deployment,
  helloContainer,
  idle,
  service,
  shell,
  shellPod,
} from '../support/manifests.ts';
import { misfortunes, resume } from '../support/misfortunes.ts';
import { containerStatus, nameOf, podsOf, readyPod, readyPods } from '../support/pod-states.ts';
import { seededRng } from '../support/seeded-rng.ts';
import { waitFor } from '../support/wait-for.ts';

/** In this order: each failure finds the cluster whole again after the one before. */
const cluster = useDevCluster();

let pods: readonly V1Pod[] = [];

beforeAll(async () => {
  const { create, until } = cluster();
  await create(
    deployment('web', helloContainer(), { replicas: 6 }),
    service('web', 'http'),
    shellPod('client', shell(idle), { nodeName: 'host1' }),
    shellPod('steady', { ...shell(''), command: ['sleep', '44444'] }, { nodeName: 'host2' }),
  );
  pods = await until('pods', readyPods('web', 6));
  await until('pods', readyPod('client'));
  await until('pods', readyPod('steady'));
});

/** The process of a role: not the one that started it in its host. */
const processOf = (role: string) =>
  findProcess(new RegExp(`^[^ ]*/node .*--data-dir ${cluster().dataDir}/${role} `));

const ask = () => cluster().exec('client', ['timeout', '5', 'wget', '-qO-', 'http://web']);

/** What a container that runs on keeps, by its pod. */
const containerIds = (all: readonly V1Pod[]) =>
  Object.fromEntries(
    all.map((pod) => {
      const { containerID, restartCount } = containerStatus(pod) ?? {};
      return [nameOf(pod), { containerID, restartCount }];
    }),
  );

describe('an agent that is killed', () => {
  it('is started again and finds its containers as they were, with their processes', async () => {
    const { until, exec } = cluster();
    const steadyPid = await findProcess(/^sleep 44444$/);
    const agent = await processOf('host2');
    expect(steadyPid).toBeDefined();
    process.kill(agent ?? 0, 'SIGKILL');
    await waitFor(
      'another agent',
      async () => {
        const pid = await processOf('host2');
        return pid === agent ? undefined : pid;
      },
      15_000,
    );
    await expect
      .poll(() => exec('steady', ['echo', 'here']).catch(() => undefined), { timeout: 20_000 })
      .toMatchObject({ code: 0, out: 'here\n' });
    expect(await findProcess(/^sleep 44444$/)).toBe(steadyPid);
    const after = await until('pods', readyPods('web', 6));
    expect(containerIds(after)).toEqual(containerIds(pods));
  });

  it('goes on with what it was told meanwhile', async () => {
    const { create, until } = cluster();
    process.kill((await processOf('host3')) ?? 0, 'SIGKILL');
    await create(shellPod('meanwhile', shell(idle), { nodeName: 'host3' }));
    await until('pods', readyPod('meanwhile'));
  });
});

describe('a controller that is killed', () => {
  it('leaves the pods serving, and afterwards everything is as it was', async () => {
    const { until, host } = cluster();
    const address = pods[0]?.status?.podIP;
    process.kill((await processOf('controller')) ?? 0, 'SIGKILL');
    const busybox = await busyboxBinary();
    const fetched = async (url: string) =>
      (await host('host1').exec(busybox, 'timeout', '5', busybox, 'wget', '-qO-', url)).out;
    expect(await fetched(`http://${address}:8080`)).toMatch(/^hello from/);
    expect(await fetched(`http://${serviceIp}`)).toMatch(/^hello from/);
    const after = await until('pods', readyPods('web', 6));
    expect(containerIds(after)).toEqual(containerIds(pods));
    await until('nodes', allReady(['host1', 'host2', 'host3']));
    await expect
      .poll(() => ask().catch(() => undefined), { timeout: 20_000 })
      .toMatchObject({ code: 0, out: expect.stringMatching(/^hello from/) });
  });

  let serviceIp = '';
  beforeAll(async () => {
    const metadata = { name: 'web', namespace: 'default' };
    const of = { apiVersion: 'v1', kind: 'Service', metadata };
    serviceIp = (await cluster().objects.read<V1Service>(of)).spec?.clusterIP ?? '';
  });

  it('is back for new work', async () => {
    const { create, until } = cluster();
    await create(shellPod('afterwards', shell(idle)));
    await until('pods', readyPod('afterwards'));
  });
});

describe('a host that is cut off', () => {
  const on = (name: string, all: readonly V1Pod[]) =>
    all.filter(({ spec }) => spec?.nodeName === name);
  const uids = (all: readonly V1Pod[]) => all.map(({ metadata }) => metadata?.uid ?? '').sort();

  it('keeps its pods running while others take their place', async () => {
    const { until, cable, sandboxes } = cluster();
    const steadyPid = await findProcess(/^sleep 44444$/);
    const before = await sandboxes('host2');
    await cable('host2', 'down');
    await until('nodes', (nodes) => !allReady(['host2'])(nodes), 15_000);
    await until(
      'pods',
      (all) => readyPods('web', 6)(podsOf('web', all).filter((pod) => !on('host2', [pod])[0])),
      20_000,
    );
    expect(await sandboxes('host2')).toEqual(before);
    expect(await findProcess(/^sleep 44444$/)).toBe(steadyPid);
  });

  it('ends what is no longer wanted when it is back, and exactly the wanted pods remain', async () => {
    const { until, cable, sandboxes } = cluster();
    await cable('host2', 'up');
    await until('nodes', allReady(['host1', 'host2', 'host3']));
    const all = await until('pods', (pods) =>
      pods.every(({ metadata }) => !metadata?.deletionTimestamp) ? pods : undefined,
    );
    expect(podsOf('web', all)).toHaveLength(6);
    for (const name of ['host1', 'host2', 'host3'])
      await expect.poll(() => sandboxes(name), { timeout: 10_000 }).toEqual(uids(on(name, all)));
  });
});

describe('an agent whose records are of an earlier day', () => {
  it('starts what is in them and nothing else, and is set right by the controller at once', async () => {
    const { create, remove, until, dataDir, sandboxes, objects } = cluster();
    const [ledger, earlier] = [join(dataDir, 'host2/ledger'), join(dataDir, 'host2/earlier')];
    const ghost = shellPod('ghost', shell(idle), { nodeName: 'host2' });
    await create(ghost);
    const uid = (await until('pods', readyPod('ghost'))).metadata?.uid ?? '';
    await cp(ledger, earlier, { recursive: true });
    await remove(ghost);
    await until('pods', (all) => all.every((pod) => nameOf(pod) !== 'ghost'));
    await create(shellPod('newer', shell(idle), { nodeName: 'host2' }));
    const { metadata } = (await until('pods', readyPod('newer'))) as V1Pod;
    const agent = (await processOf('host2')) ?? 0;
    renameSync(ledger, `${earlier}.away`);
    renameSync(earlier, ledger);
    process.kill(agent, 'SIGKILL');
    const recorded = async () => (await readdir(join(ledger, 'pods'))).join(' ');
    expect(await recorded()).toContain(uid);
    await expect.poll(recorded, { timeout: 20_000 }).not.toContain(uid);
    const exact = async () => {
      const { items } = await objects.list<V1Pod>('v1', 'Pod', 'default');
      const wanted = items.filter(({ spec }) => spec?.nodeName === 'host2');
      const uids = wanted.map((pod) => pod.metadata?.uid ?? '').sort();
      expect(await sandboxes('host2')).toEqual(uids);
      expect(wanted.map(nameOf)).toContain('newer');
      expect(wanted.map(nameOf)).not.toContain('ghost');
    };
    await expect.poll(exact, { timeout: 20_000 }).toBeUndefined();
    const after = await until('pods', readyPod('newer'));
    expect(after.metadata?.uid).toBe(metadata?.uid);
  });
});

describe('a controller that is away for long', () => {
  const crashing = shellPod('crashing', shell('sleep 1; exit 1'), { nodeName: 'host1' });
  const restarts = () =>
    cluster()
      .host('host1')
      .exec('sh', '-c', `ls ${cluster().dataDir}/host1/logs/default_crashing_*/main`)
      .then(({ out }) => Math.max(...(out.match(/\d+(?=\.log)/g) ?? ['-1']).map(Number)));

  it('misses nothing: hosts reboot without it, and pods are restarted, probed and served', async () => {
    const { create, until, host } = cluster();
    await create(crashing);
    await until('pods', (all) =>
      all.some((pod) => nameOf(pod) === 'crashing' && containerStatus(pod)),
    );
    const before = await until('pods', readyPods('web', 6));
    const rebooted =
      before.map(({ spec }) => spec?.nodeName).find((name) => name !== 'host1') ?? '';
    const local = before.filter(({ spec }) => spec?.nodeName === rebooted);
    const stopped = (await processOf('controller')) ?? 0;
    process.kill(stopped, 'SIGSTOP');
    const stoppedAt = performance.now();
    try {
      await misfortunes.reboot({ cluster: cluster(), names: [rebooted], rng: seededRng(1) });
      const busybox = await busyboxBinary();
      const answers = async (pod: V1Pod) => {
        const url = `http://${pod.status?.podIP}:8080`;
        const asked = ['timeout', '2', busybox, 'wget', '-qO-', url];
        return (await host('host1').exec(busybox, ...asked)).out;
      };
      for (const pod of local)
        await expect.poll(() => answers(pod), { timeout: 30_000 }).toContain(nameOf(pod));
      await expect.poll(restarts, { timeout: 30_000 }).toBeGreaterThan(0);
      // Longer than silent nodes are waited for.
      await waitFor('six seconds', () => performance.now() - stoppedAt > 6000);
    } finally {
      await resume(stopped);
    }
    await until('nodes', allReady(['host1', 'host2', 'host3']));
    const after = await until('pods', (all) => {
      const found = readyPods('web', 6)(all);
      return found?.some((pod) => (containerStatus(pod)?.restartCount ?? 0) > 0)
        ? found
        : undefined;
    });
    expect(after.map(nameOf).sort(), 'the very same pods').toEqual(before.map(nameOf).sort());
  });
});

describe('a host that is lost with all that runs on it', () => {
  it('is NotReady, and its pods are replaced on the others within seconds', async () => {
    const { until, host } = cluster();
    const lostAt = performance.now();
    process.kill(host('host3').pid, 'SIGKILL');
    await until('nodes', (nodes) => !allReady(['host3'])(nodes), 15_000);
    const replaced = await until(
      'pods',
      (all) => {
        const there = podsOf('web', all).filter(({ spec }) => spec?.nodeName !== 'host3');
        return readyPods('web', 6)(there);
      },
      20_000,
    );
    expect(performance.now() - lostAt).toBeLessThan(15_000);
    expect(new Set(replaced.map(({ spec }) => spec?.nodeName))).toEqual(
      new Set(['host1', 'host2']),
    );
    await until('nodes', allReady(['host1', 'host2']));
  });

  it('is asked no more: every answer comes from a host that is there', async () => {
    for (let i = 0; i < 12; i++) {
      const { out } = await ask();
      expect(out).toMatch(/^hello from \S+ on host[12]\n$/);
    }
  });
});

const allReady = (names: readonly string[]) => (nodes: readonly V1Node[]) =>
  names.every((name) =>
    nodes
      .find(({ metadata }) => metadata?.name === name)
      ?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'),
  );
