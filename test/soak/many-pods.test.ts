import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { useDevCluster } from '../support/dev-cluster.ts';
import { deployment, helloContainer } from '../support/manifests.ts';
import { podGroups, podLinks, roleOf, shimsOf } from '../support/misfortunes.ts';
import { readyPods } from '../support/pod-states.ts';

const cluster = useDevCluster({ nodes: 1 });
const container = helloContainer();
const pods = 500;

describe(`${pods} pods on one host`, () => {
  it('all run and are ready', async () => {
    const startedAt = performance.now();
    await cluster().create(deployment('many', container, { replicas: pods }));
    await cluster().until('pods', readyPods('many', pods), 120_000);
    console.log(`${pods} pods ready after ${seconds(startedAt)} s`);
  });

  it('cost a keeper of less than 1 MB each', async () => {
    const shims = await Promise.all((await shimsOf(cluster())).map(({ pid }) => memoryOf(pid)));
    expect(shims.length).toBe(pods);
    const pss = shims.reduce((sum, shim) => sum + shim.pss, 0) / pods;
    const most = Math.max(...shims.map((shim) => shim.private));
    const agent = await memoryOf((await roleOf({ cluster: cluster() }, 'host1')) ?? 0);
    console.log(`a shim: ${pss.toFixed(0)} KB PSS, at most ${most} KB private`, { agent });
    expect(most).toBeLessThanOrEqual(1024);
  });

  it('answer when all of them are probed each second', async () => {
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    await cluster().until('pods', readyPods('many', pods), 1000);
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
    console.log(`${pods} pods gone after ${seconds(startedAt)} s`);
  });
});

const seconds = (since: number) => ((performance.now() - since) / 1000).toFixed(1);

/** In KB: proc_pid_smaps(5). */
async function memoryOf(pid: number) {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  const of = (field: string) => Number(new RegExp(`^${field}: *(\\d+)`, 'm').exec(rollup)?.[1]);
  const own = of('Private_Clean') + of('Private_Dirty');
  return { rss: of('Rss'), pss: of('Pss'), private: own };
}
