import type { V1Pod, V1Service } from '@kubernetes/client-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { busyboxBinary } from '../support/busybox.ts';
import { useDevCluster } from '../support/dev-cluster.ts';
import {
  deployment,
  helloContainer,
  idle,
  service,
  shell,
  shellPod,
} from '../support/manifests.ts';
import { nameOf, readyPod, readyPods } from '../support/pod-states.ts';
import type { Run } from '../support/run-program.ts';

describe('six pods of one Deployment on three hosts', () => {
  const cluster = useDevCluster();
  let pods: readonly V1Pod[] = [];
  let clusterIp = '';

  beforeAll(async () => {
    const { create, until, objects } = cluster();
    await create(
      deployment('hello', helloContainer(), { replicas: 6 }),
      service('hello', 'http'),
      shellPod('client', shell(idle)),
    );
    pods = await until('pods', readyPods('hello', 6));
    await until('pods', readyPod('client'));
    const metadata = { name: 'hello', namespace: 'default' };
    const found = await objects.read<V1Service>({ apiVersion: 'v1', kind: 'Service', metadata });
    clusterIp = found.spec?.clusterIP ?? '';
  });

  it('are spread evenly', () => {
    const byNode = Object.groupBy(pods, ({ spec }) => spec?.nodeName ?? '');
    const counts = Object.entries(byNode).map(([node, there]) => [node, there?.length]);
    expect(Object.fromEntries(counts)).toEqual({ host1: 2, host2: 2, host3: 2 });
  });

  it('have an address each, of the network of their node', () => {
    const addresses = pods.map(({ status }) => status?.podIP ?? '');
    expect(new Set(addresses).size).toBe(6);
    for (const address of addresses) expect(address).toMatch(/^10\.24[4-7]\.\d+\.\d+$/);
  });

  const pages = {
    'its short name': () => 'http://hello',
    'its name with the namespace': () => 'http://hello.default',
    'its full name': () => 'http://hello.default.svc.cluster.local',
    'its address': () => `http://${clusterIp}`,
  };
  for (const [by, url] of Object.entries(pages)) {
    it(`answer a pod that asks their Service by ${by}, from several hosts`, async () => {
      const ask = () => cluster().exec('client', ['timeout', '5', 'wget', '-qO-', url()]);
      const { names, nodes } = await answers(ask);
      expect(names.size).toBeGreaterThan(1);
      expect(nodes.size).toBeGreaterThan(1);
      expect(pods.map(nameOf)).toEqual(expect.arrayContaining([...names]));
    });
  }

  it.for(['host1', 'host2', 'host3'])('answer %s itself through the ClusterIP', async (name) => {
    const wget = [await busyboxBinary(), 'timeout', '5', await busyboxBinary(), 'wget', '-qO-'];
    const ask = () =>
      cluster()
        .host(name)
        .exec(...wget, `http://${clusterIp}`);
    const { nodes } = await answers(ask);
    expect(nodes.size).toBeGreaterThan(1);
  });

  it('answer each other by their own addresses, from every host to every host', async () => {
    const asker = nameOf(pods[0]!);
    for (const pod of pods) {
      const url = `http://${pod.status?.podIP}:8080`;
      const { out } = await cluster().exec(asker, ['timeout', '5', 'wget', '-qO-', url]);
      expect(out.trim()).toBe(`hello from ${nameOf(pod)} on ${pod.spec?.nodeName}`);
    }
  });
});

const questions = 12;

/** Who answered, of so many questions. */
async function answers(ask: () => Promise<Run>) {
  const runs: Run[] = [];
  for (let i = 0; i < questions; i++) runs.push(await ask());
  const said = runs.map(({ code, out, err }) => {
    const [, name = '', node = ''] = /^hello from (\S+) on (\S+)\n$/.exec(out) ?? [];
    if (code !== 0 || name === '') throw new Error(`no answer: exit ${code} ${out} ${err}`);
    return { name, node };
  });
  return {
    names: new Set(said.map(({ name }) => name)),
    nodes: new Set(said.map(({ node }) => node)),
  };
}
