import { readdir, readFile } from 'node:fs/promises';
import { afterAll, expect, it } from 'vitest';
import { useDevCluster } from '../support/dev-cluster.ts';
import { deployment, helloContainer } from '../support/manifests.ts';
import { oneOf, podGroups, processes, shimsOf } from '../support/misfortunes.ts';
import { nameOf, podsOf, readyPods } from '../support/pod-states.ts';
import { rounds } from '../support/rounds.ts';
import { seededRng } from '../support/seeded-rng.ts';

/** Scales, rolls out and deletes for so long, and looks at every process of orc once in a while. */
const durationMs = rounds(60_000);
const lookEveryMs = Math.max(5000, durationMs / 40);
/** A change as often on a busy machine as on an idle one: what is held for a while depends on how much comes in it. */
const paceMs = 3000;

const cluster = useDevCluster();
const rng = seededRng(Date.now());
const apps = ['one', 'two', 'three'];
const hosts = ['host1', 'host2', 'host3'];

interface Look {
  readonly at: string;
  /** By process: "controller", "host1" … and what its agent has started. */
  readonly residentKb: ReadonlyMap<string, number>;
  readonly descriptors: ReadonlyMap<string, number>;
}

const looks: Look[] = [];

it('a cluster that is never at rest takes no more of anything as time goes by', async () => {
  const { create } = cluster();
  for (const app of apps) await create(deployment(app, container('0'), { replicas: 4 }));
  const [startedAt, pods] = [performance.now(), new Set<string>()];
  for (let changes = 1, looked = startedAt; performance.now() - startedAt < durationMs; changes++) {
    const pace = new Promise((resolve) => setTimeout(resolve, paceMs));
    for (const name of await change(`${changes}`)) pods.add(name);
    await pace;
    if (performance.now() - looked < lookEveryMs) continue;
    looked = performance.now();
    looks.push(await lookAt(`${Math.round((looked - startedAt) / 1000)} s, ${pods.size} pods`));
  }
  for (const what of ['residentKb', 'descriptors'] as const) {
    const [early, late] = [quarter(what, 1), quarter(what, 3)];
    for (const [name, now] of late) {
      const before = early.get(name) ?? 0;
      // A client's idle connections come and go.
      const allowed = before * 1.1 + (what === 'residentKb' ? 4096 : 20);
      expect.soft(now, `${what} of ${name}, at first ${before}`).toBeLessThanOrEqual(allowed);
    }
  }
});

it('afterwards nothing is left of it', async () => {
  const { remove } = cluster();
  for (const app of apps) await remove(deployment(app, container('')));
  const left = async () => {
    const groups = await Promise.all(hosts.map((host) => podGroups(cluster(), host)));
    return [...groups.flat(), ...(await shimsOf(cluster()))];
  };
  await expect.poll(left, { timeout: 60_000, interval: 500 }).toEqual([]);
});

afterAll(() => {
  for (const { at, residentKb, descriptors } of looks) {
    const figures = [...residentKb].map(
      ([name, kb]) => `${name} ${(kb / 1024).toFixed(1)} MB ${descriptors.get(name) ?? '-'} fd`,
    );
    console.log(`churn: ${at}: ${figures.join(' · ')}`);
  }
});

const container = (version: string) =>
  helloContainer({ env: [{ name: 'VERSION', value: version }] });

/** One change, and until it is done. Gives the pods there are then. */
async function change(version: string): Promise<readonly string[]> {
  const { patch, remove, until, objects } = cluster();
  const app = oneOf(apps, rng);
  const replicas = 2 + Math.floor(rng.fraction() * 9);
  const { apiVersion, kind, metadata } = deployment(app, container(''));
  const template = { spec: { containers: [container(version)] } };
  const [victim] = podsOf(app, (await objects.list('v1', 'Pod', 'default')).items);
  if (victim) await remove({ apiVersion: 'v1', kind: 'Pod', metadata: { name: nameOf(victim) } });
  await patch({ apiVersion, kind, metadata, spec: { replicas, template } });
  return (await until('pods', readyPods(app, replicas), 60_000)).map(nameOf);
}

/** Medians of a quarter of the looks: one of them may fall on a moment of much work. */
function quarter(what: 'residentKb' | 'descriptors', which: number): ReadonlyMap<string, number> {
  const part = looks.slice((looks.length * which) / 4, (looks.length * (which + 1)) / 4);
  const names = [...new Set(part.flatMap((look) => [...look[what].keys()]))];
  return new Map(
    names.map((name) => {
      const values = part.map((look) => look[what].get(name) ?? 0).toSorted((a, b) => a - b);
      return [name, values[Math.floor(values.length / 2)] ?? 0];
    }),
  );
}

async function lookAt(at: string): Promise<Look> {
  const all = await processes();
  const flag = ` --data-dir ${cluster().dataDir}/`;
  const found = all.flatMap(({ pid, command }) => {
    const [, role] = command.split(flag);
    return role && /^[^ ]*\/node /.test(command) ? [{ pid, name: role.split(' ')[0] ?? '' }] : [];
  });
  found.push({ pid: cluster().pid, name: 'dev' });
  const residentKb = new Map<string, number>();
  const descriptors = new Map<string, number>();
  for (const { pid, name } of found) {
    residentKb.set(name, await residentKbOf(pid));
    descriptors.set(name, (await readdir(`/proc/${pid}/fd`)).length);
  }
  const shims = await shimsOf(cluster());
  const each = await Promise.all(shims.map(({ pid }) => residentKbOf(pid)));
  residentKb.set('a shim', Math.round(each.reduce((a, b) => a + b, 0) / Math.max(1, each.length)));
  return { at, residentKb, descriptors };
}

async function residentKbOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
}
