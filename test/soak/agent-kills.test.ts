import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { V1Pod } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Manifest, useDevCluster } from '../support/dev-cluster.ts';
import { shell, shellPod } from '../support/manifests.ts';
import { pause, podGroups, podLinks, processes, roleOf, shimsOf } from '../support/misfortunes.ts';
import { containerStatus, nameOf } from '../support/pod-states.ts';
import { rounds } from '../support/rounds.ts';
import { seededRng } from '../support/seeded-rng.ts';

/** One agent is killed again and again while fifty pods start, end by themselves and are deleted. */
const cluster = useDevCluster({ nodes: 1 });
const seed = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000);
const rng = seededRng(seed);
const kills = rounds(5);
const atOnce = 50;

/** A pod's life: it ends with its code by itself, or runs until it is deleted. */
interface Life {
  readonly name: string;
  readonly code: number | undefined;
  readonly deleteAt: number;
  deleted: boolean;
}

const tally = { pods: 0, exits: 0, kills: 0 };
let before: Awaited<ReturnType<typeof traces>>;

beforeAll(async () => {
  console.log(`agent-kills: CHAOS_SEED=${seed}`);
  before = await traces();
});

afterAll(() => console.log(`agent-kills: ${JSON.stringify(tally)}`));

describe('an agent that is killed at any moment', () => {
  it('loses no exit status, and starts nothing twice', async () => {
    const lives = new Map<string, Life>();
    const killing = { over: false };
    const killed = killAgain(killing).finally(() => {
      killing.over = true;
    });
    try {
      for (;;) {
        if (!killing.over && lives.size < atOnce) await bear(lives);
        else await pause({ rng }, 100, 200);
        for (const end of await advance(lives)) lives.delete(end);
        if (killing.over && lives.size === 0) break;
      }
    } finally {
      killing.over = true;
      await killed;
    }
    expect(tally.kills).toBe(kills);
  });

  it('leaves no mount, group, process, descriptor, interface, address or file', async () => {
    await expect.poll(traces, { timeout: 60_000, interval: 500 }).toEqual(before);
  });
});

async function killAgain(killing: { readonly over: boolean }): Promise<void> {
  while (tally.kills < kills && !killing.over) {
    await pause({ rng }, 100, 1500);
    const pid = await agentPid();
    if (pid === undefined) continue; // It is being started.
    process.kill(pid, 'SIGKILL');
    tally.kills++;
  }
}

async function bear(lives: Map<string, Life>): Promise<void> {
  const number = tally.pods++;
  const endsItself = number % 2 === 0;
  const code = endsItself ? number % 200 : undefined;
  const seconds = (rng.fraction() * 2).toFixed(2);
  const script = endsItself ? `echo begun; sleep ${seconds}; exit ${code}` : 'exec sleep 100000';
  const name = `brief-${number}`;
  lives.set(name, {
    name,
    code,
    deleteAt: performance.now() + rng.fraction() * 4000,
    deleted: false,
  });
  await cluster().create(shellPod(name, shell(script), staysOnItsNode));
}

/** However long the agent is away: a pod that is evicted has nothing to tell. */
const staysOnItsNode = { restartPolicy: 'Never', tolerations: [{ operator: 'Exists' }] };

/** Deletes whose time has come; gives those who are gone. */
async function advance(lives: ReadonlyMap<string, Life>): Promise<readonly string[]> {
  const listed = await cluster().objects.list<V1Pod>('v1', 'Pod', 'default');
  const pods = new Map(listed.items.map((pod) => [nameOf(pod), pod]));
  for (const life of lives.values()) {
    const pod = pods.get(life.name);
    if (life.deleted || pod === undefined || !isDue(life, pod)) continue;
    life.deleted = true;
    await cluster().remove(identityOf(life.name));
  }
  const gone = [...lives.values()].filter(({ name }) => !pods.has(name));
  expect(gone.filter(({ deleted }) => !deleted)).toEqual([]);
  return gone.map(({ name }) => name);
}

/** A container that ended has told its own code, at its first attempt. */
function isDue({ name, code, deleteAt }: Life, pod: V1Pod): boolean {
  if (code === undefined) return performance.now() > deleteAt;
  const { state, restartCount } = containerStatus(pod) ?? {};
  if (state?.terminated === undefined) return false;
  const { exitCode } = state.terminated;
  expect({ name, exitCode, restartCount }).toEqual({ name, exitCode: code, restartCount: 0 });
  tally.exits++;
  return true;
}

const identityOf = (name: string): Manifest => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
});

/** Everything that pods leave while they are there, and the agent for them. */
async function traces() {
  const { dataDir, host, sandboxes } = cluster();
  const mounts = await readFile(`/proc/${host('host1').pid}/mountinfo`, 'utf8');
  const book = await readFile(join(dataDir, 'host1/network/addresses.json'), 'utf8').catch(absent);
  const files = ['ledger/pods', 'pods', 'logs', 'volumes', 'memory'].map((name) =>
    readdir(join(dataDir, 'host1', name)).catch(() => []),
  );
  const all = await processes();
  return {
    shims: await shimsOf(cluster()),
    containers: all.filter(({ command }) => command === 'sleep 100000').length,
    groups: await podGroups(cluster(), 'host1'),
    links: await podLinks(cluster(), 'host1'),
    mounts: mounts.split('\n').filter((line) => /\/pods\//.test(line)),
    addresses: Object.keys(JSON.parse(book).byUid),
    files: (await Promise.all(files)).flat(),
    sandboxes: await sandboxes('host1').catch(() => []),
    descriptors: await descriptors(),
  };
}

const absent = () => '{"byUid":{}}';

/** Of the agent and its launcher, by what they are: sockets come and go with their numbers. */
async function descriptors(): Promise<number | string> {
  const pid = await agentPid();
  if (pid === undefined) return 'no agent';
  const launcher = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim();
  const counts = [pid, ...launcher.split(' ').filter(Boolean)].map(
    async (each) => (await readdir(`/proc/${each}/fd`)).length,
  );
  return (await Promise.all(counts)).join(' ');
}

const agentPid = () => roleOf({ cluster: cluster() }, 'host1');
