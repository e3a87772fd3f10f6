import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { V1ConfigMap, V1Pod } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Manifest, useDevCluster } from '../support/dev-cluster.ts';
import { configMap, deployment, helloContainer, shell, shellPod } from '../support/manifests.ts';
import {
  type Misfortune,
  misfortunes,
  oneOf,
  type Place,
  pause,
  podGroups,
  podLinks,
  processes,
  shimsOf,
} from '../support/misfortunes.ts';
import { isReady, nameOf, podsOf, readyPods } from '../support/pod-states.ts';
import { rounds } from '../support/rounds.ts';
import { seededRng } from '../support/seeded-rng.ts';

/**
 * Everything ends at some moment in the midst of work, and goes on. By hand: CHAOS_SEED=N replays a failure,
 * CHAOS_FLAGS="--controllers 3 --etcd 3" is another cluster.
 */
const flags = (process.env.CHAOS_FLAGS ?? '').split(' ').filter((flag) => flag !== '');
const cluster = useDevCluster({ flags });
const seed = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000);
const rng = seededRng(seed);
const hosts = ['host1', 'host2', 'host3'];
const apps = ['left', 'right'];
const settleMs = 60_000;
const steady = (host: string) => `5${seed}${hosts.indexOf(host)}`;

let names: readonly string[] = [];
const place = (): Place => ({ cluster: cluster(), names, rng });

/** What the API was told, and acknowledged. */
const wanted = new Map(apps.map((app) => [app, { replicas: 3, version: 'first' }]));
const notes: string[] = [];
const settledAfterMs: number[] = [];

beforeAll(async () => {
  const { create, until, dataDir } = cluster();
  names = Object.keys(JSON.parse(await readFile(join(dataDir, 'hosts.json'), 'utf8')));
  console.log(`chaos: CHAOS_SEED=${seed}`);
  for (const app of apps) await create(deployment(app, container('first'), { replicas: 3 }));
  for (const host of hosts) await create(steadyPod(host));
  for (const app of apps) await until('pods', readyPods(app, 3));
});

afterAll(() => {
  const [median, worst] = [0.5, 1].map((at) => quantile(settledAfterMs, at));
  console.log(`chaos: ${settledAfterMs.length} rounds, whole again in ${median} ms, ${worst} ms`);
});

const quantile = (of: readonly number[], at: number) =>
  Math.round(of.toSorted((a, b) => a - b)[Math.ceil(of.length * at) - 1] ?? 0);

const container = (version: string) =>
  helloContainer({ env: [{ name: 'VERSION', value: version }] });

/** Evicted with its host it would be gone: it stays. */
const steadyPod = (host: string): Manifest =>
  shellPod(
    `steady-${host}`,
    { ...shell(''), command: ['sleep', steady(host)] },
    { nodeName: host, tolerations: [{ operator: 'Exists' }] },
  );

const kinds = Object.keys(misfortunes) as Misfortune[];
const isPossible = (kind: Misfortune) => kind !== 'store' || flags.includes('--etcd');

describe.each(kinds.filter(isPossible))('%s', (misfortune) => {
  it('at any moment costs nothing that was acknowledged, and leaves nothing behind', async () => {
    for (let round = 0; round < rounds(2); round++) {
      const before = await steadyProcesses();
      const watched = watchForTwins();
      await change();
      await pause({ rng }, 0, 600);
      await Promise.all([misfortunes[misfortune](place()), change(), change()]);
      const happenedAt = performance.now();
      await expect.poll(discrepancies, { timeout: settleMs, interval: 200 }).toEqual([]);
      settledAfterMs.push(performance.now() - happenedAt);
      expect(await watched.stop(), 'pods that ran twice').toEqual([]);
      if (misfortune !== 'shim' && misfortune !== 'reboot')
        expect(await steadyProcesses(), 'containers that ran on').toEqual(before);
    }
  });
});

describe('afterwards', () => {
  it('everything acknowledged is there', async () => {
    const { objects } = cluster();
    const listed = await objects.list<V1ConfigMap>('v1', 'ConfigMap', 'default');
    const names = listed.items.map(({ metadata }) => metadata?.name ?? '');
    expect(new Set(names)).toEqual(new Set(notes));
  });

  it('what is deleted leaves nothing on any host', async () => {
    const { remove, dataDir } = cluster();
    for (const app of apps) await remove(deployment(app, container('')));
    for (const host of hosts) await remove(steadyPod(host));
    const left = async () => {
      const folders = hosts.flatMap((host) =>
        ['ledger/pods', 'pods', 'logs', 'volumes', 'memory'].map((name) =>
          join(dataDir, host, name),
        ),
      );
      const files = folders.map((path) => readdir(path).catch(() => []));
      const links = hosts.map((host) => podLinks(cluster(), host));
      const groups = hosts.map((host) => podGroups(cluster(), host));
      const found = await Promise.all([...files, ...links, ...groups, shimsOf(cluster())]);
      return found.flat().filter((thing) => thing !== 0);
    };
    await expect.poll(left, { timeout: settleMs, interval: 200 }).toEqual([]);
  });
});

/** Asks for something else, and again until it is acknowledged. */
async function change(): Promise<void> {
  const app = oneOf(apps, rng);
  const spec = wanted.get(app) ?? { replicas: 0, version: '' };
  switch (oneOf(['scale', 'rollout', 'delete', 'note'], rng)) {
    case 'scale':
      spec.replicas = 1 + Math.floor(rng.fraction() * 6);
      return acknowledged(() => cluster().patch(deploymentOf(app)));
    case 'rollout':
      spec.version = rng.uuid();
      return acknowledged(() => cluster().patch(deploymentOf(app)));
    case 'delete':
      return acknowledged(async () => {
        const pods = podsOf(app, await listPods());
        if (pods.length > 0) await cluster().remove(identityOf(oneOf(pods, rng)));
      });
    default: {
      const name = `note-${notes.length}`;
      notes.push(name);
      return acknowledged(() => cluster().create(configMap(name, {})));
    }
  }
}

const deploymentOf = (app: string) => {
  const { replicas = 0, version = '' } = wanted.get(app) ?? {};
  return deployment(app, container(version), { replicas });
};

const identityOf = (pod: V1Pod): Manifest => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: nameOf(pod) },
});

/** A request that was cut off may have been carried out: its repetition finds that. */
async function acknowledged(request: () => Promise<void>): Promise<void> {
  await expect
    .poll(() => request().then(() => 200, codeOf), { timeout: settleMs, interval: 200 })
    .toBeOneOf([200, 404, 409]);
}

const codeOf = (error: unknown) =>
  typeof error === 'object' && error && 'code' in error ? error.code : String(error);

async function listPods(): Promise<readonly V1Pod[]> {
  const listed = await cluster().objects.list<V1Pod>('v1', 'Pod', 'default');
  return listed.items as V1Pod[];
}

/** What isn't as it was asked for, or is on a host and shouldn't be. */
async function discrepancies(): Promise<readonly string[]> {
  const pods = await listPods().catch(() => undefined);
  if (!pods) return ['no answer'];
  const shims = await shimsOf(cluster());
  const perHost = hosts.map(async (host) => {
    const uids = pods.filter((p) => p.spec?.nodeName === host).map((p) => p.metadata?.uid ?? '');
    const links = await podLinks(cluster(), host);
    return [
      ...differences(`shims of ${host}`, uids, uidsOf(shims, host)),
      ...differences(`groups of ${host}`, uids, await podGroups(cluster(), host)),
      ...(links === uids.length ? [] : [`${links} links on ${host} for ${uids.length} pods`]),
    ];
  });
  return [...apps.flatMap((app) => ofApp(app, pods)), ...(await Promise.all(perHost)).flat()];
}

const uidsOf = (shims: Awaited<ReturnType<typeof shimsOf>>, on: string) =>
  shims.filter(({ host }) => host === on).map(({ uid }) => uid);

function ofApp(app: string, pods: readonly V1Pod[]): readonly string[] {
  const { replicas = 0, version } = wanted.get(app) ?? {};
  const all = pods.filter(({ metadata }) => metadata?.labels?.app === app);
  const isRight = (pod: V1Pod) =>
    isReady(pod) && pod.spec?.containers[0]?.env?.some(({ value }) => value === version);
  const wrong = all.filter((pod) => !isRight(pod)).map((pod) => `${nameOf(pod)} is not right`);
  return all.length === replicas
    ? wrong
    : [...wrong, `${app}: ${all.length} pods, not ${replicas}`];
}

function differences(
  what: string,
  expected: readonly string[],
  found: readonly string[],
): readonly string[] {
  const [a, b] = [expected.toSorted().join(' '), found.toSorted().join(' ')];
  return a === b ? [] : [`${what}: ${b} instead of ${a}`];
}

/** The pids of what runs in the pods that nothing happens to. */
async function steadyProcesses(): Promise<Readonly<Record<string, readonly number[]>>> {
  const all = await processes();
  return Object.fromEntries(
    hosts.map((host) => [
      host,
      all.filter(({ command }) => command === `sleep ${steady(host)}`).map(({ pid }) => pid),
    ]),
  );
}

/** Looks again and again whether a pod is kept by two shims; one that finds the pod's lock taken ends at once. */
function watchForTwins(): { stop(): Promise<readonly string[]> } {
  const twins = new Set<string>();
  let before = new Set<number>();
  let stopped = false;
  const look = async () => {
    while (!stopped) {
      const shims = await shimsOf(cluster());
      const lasting = shims.filter(({ pid }) => before.has(pid)).map(({ uid }) => uid);
      for (const [i, uid] of lasting.entries()) if (lasting.indexOf(uid) !== i) twins.add(uid);
      before = new Set(shims.map(({ pid }) => pid));
      await pause({ rng }, 100, 100);
    }
  };
  const looking = look();
  return {
    async stop() {
      stopped = true;
      await looking;
      return [...twins];
    },
  };
}
