import type { V1Node } from '@kubernetes/client-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { useDevCluster } from '../support/dev-cluster.ts';
import { deployment, helloContainer, idle, shell, shellPod } from '../support/manifests.ts';
import { podsOf, readyPod, readyPods } from '../support/pod-states.ts';
import { waitFor } from '../support/wait-for.ts';

/** In this order: the disk is filled at the end, and has room again after that. */
const cluster = useDevCluster({ nodes: 2, smallDisks: { host2: 300 } });

beforeAll(async () => {
  const { create, until } = cluster();
  const spin = 'while :; do :; done';
  await create(
    deployment('web', helloContainer(), { replicas: 2 }),
    shellPod('busy', shell(spin, { resources: { limits: { cpu: '200m' } } })),
    shellPod('steady', shell(idle), { nodeName: 'host2' }),
  );
  await until('pods', readyPods('web', 2));
  await until('pods', readyPod('busy'));
  await until('pods', readyPod('steady'));
});

describe('orc top', () => {
  it('shows what nodes and pods use, most first', async () => {
    const lines = await waitFor(
      'a measured pod',
      async () => {
        const { out } = await cluster().orc('top', 'pods', '--sort-by', 'cpu');
        const rows = out.split('\n').map((line) => line.trim().split(/ {2,}/));
        return rows.length >= 5 && rows;
      },
      40_000,
    );
    expect(lines[0]).toEqual(['NAME', 'CPU(cores)', 'MEMORY(bytes)']);
    expect(lines[1]?.[0]).toBe('busy');
    const cpu = Number(lines[1]?.[1]?.replace('m', ''));
    expect(cpu).toBeGreaterThan(50);
    expect(cpu).toBeLessThan(300);
    const nodes = (await cluster().orc('top', 'nodes')).out;
    expect(nodes).toMatch(/^NAME +CPU\(cores\) +CPU\(%\) +MEMORY\(bytes\) +MEMORY\(%\)\nhost1 /);
  });

  it('is what kubectl top shows too', async () => {
    const { out } = await cluster().kubectl('top', 'pods', '--containers');
    expect(out).toMatch(/^POD +NAME +CPU\(cores\) +MEMORY\(bytes\)/);
    expect(out).toMatch(/^busy +main +\d+m +\d+Mi/m);
  });
});

describe('a node', () => {
  it('tells its metrics and its health through the controller', async () => {
    const raw = async (path: string) => (await cluster().kubectl('get', '--raw', path)).out;
    const metrics = await raw('/api/v1/nodes/host2/proxy/metrics');
    expect(metrics).toContain('orc_leader_connected 1');
    expect(metrics).toMatch(/^orc_pods\{phase="Running"\} [1-9]/m);
    expect(metrics).toMatch(/^orc_events_total\{type="Normal",reason="Started"\} [1-9]/m);
    expect(await raw('/api/v1/nodes/host2/proxy/healthz')).toBe('ok');
  });
});

describe('a host whose disk is full', () => {
  const filler = () => `${cluster().dataDir}/host2/filler`;
  const disk = (status: string) => (nodes: readonly V1Node[]) =>
    nodes.find(
      (node) =>
        node.metadata?.name === 'host2' &&
        node.status?.conditions?.some((c) => c.type === 'DiskPressure' && c.status === status),
    );
  const taints = (node: V1Node | undefined) => (node?.spec?.taints ?? []).map(({ key }) => key);

  it('gets no new pods, keeps those it has, and says of others what it is short of', async () => {
    const { create, patch, until, host, exec } = cluster();
    const before = await until('pods', readyPods('web', 2));
    // To the last byte: what is left by big blocks would do for a pod's few files.
    const fill = `for size in 1M 1k; do dd if=/dev/zero of=${filler()}.$size bs=$size; done`;
    await host('host2').exec('sh', '-c', fill);
    await until('nodes', disk('True'), 30_000);
    const tainted = await until('nodes', (nodes) =>
      nodes.find((node) => taints(node).includes('node.kubernetes.io/disk-pressure')),
    );
    expect(tainted.metadata?.name).toBe('host2');
    await patch({ ...deployment('web', helloContainer()), spec: { replicas: 6 } });
    const after = await until('pods', readyPods('web', 6));
    const old = before.map(({ metadata }) => metadata?.uid);
    const places = after
      .filter((pod) => !old.includes(pod.metadata?.uid))
      .map((p) => p.spec?.nodeName);
    expect(places).toEqual(['host1', 'host1', 'host1', 'host1']);
    expect((await exec('steady', ['echo', 'here'])).out).toBe('here\n');
    await create(shellPod('late', shell(idle), { nodeName: 'host2' }));
    const said = await until('events', (events) =>
      events.find(
        ({ involvedObject, message }) =>
          involvedObject.name === 'late' && /no space left|ENOSPC/i.test(message ?? ''),
      ),
    );
    expect(said.type).toBe('Warning');
  });

  it('starts what waited by itself when there is room again', async () => {
    const { until, host } = cluster();
    await host('host2').exec('rm', `${filler()}.1M`, `${filler()}.1k`);
    await until('pods', readyPod('late'), 60_000);
    const fine = await until('nodes', disk('False'), 30_000);
    const clean = await until('nodes', (nodes) =>
      nodes.find((node) => node.metadata?.name === 'host2' && taints(node).length === 0),
    );
    expect([fine, clean].map(({ metadata }) => metadata?.name)).toEqual(['host2', 'host2']);
    expect(podsOf('steady', await until('pods', (all) => all)).map((p) => p.status?.phase)).toEqual(
      ['Running'],
    );
  });
});
