import { describe, expect, it } from 'vitest';
import { useDevCluster } from '../support/dev-cluster.ts';
import { deployment, helloContainer } from '../support/manifests.ts';
import { podGroups, podLinks, shimsOf } from '../support/misfortunes.ts';
import { readyPods } from '../support/pod-states.ts';

const cluster = useDevCluster({ nodes: 1 });
const container = helloContainer();

describe('300 pods on one host', () => {
  it('all run and are ready', async () => {
    const startedAt = performance.now();
    await cluster().create(deployment('many', container, { replicas: 300 }));
    await cluster().until('pods', readyPods('many', 300), 120_000);
    console.log(`300 pods ready after ${seconds(startedAt)} s`);
  });

  it('answer when all of them are probed each second', async () => {
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    await cluster().until('pods', readyPods('many', 300), 1000);
  });

  it('are deleted, and nothing is left', async () => {
    const startedAt = performance.now();
    await cluster().remove(deployment('many', container));
    const left = async () => [
      ...(await podGroups(cluster(), 'host1')),
      ...(await shimsOf(cluster())),
      await podLinks(cluster(), 'host1'),
    ];
    await expect.poll(left, { timeout: 120_000, interval: 500 }).toEqual([0]);
    console.log(`300 pods gone after ${seconds(startedAt)} s`);
  });
});

const seconds = (since: number) => ((performance.now() - since) / 1000).toFixed(1);
