import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Node } from '../api/node.ts';
import { Pod } from '../api/pod.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { systemRng } from '../base/rng.ts';
import { schedule } from '../controller/scheduler/schedule.ts';
import { assume, takeSnapshot } from '../controller/scheduler/snapshot.ts';
import { openSqliteStore } from '../controller/store/sqlite-store.ts';
import { anObject } from '../test/support/an-object.ts';

/** Durable writes a second of 1 KB with 1 and 64 writers; 1000 pods placed on 100 nodes. */
const clock: Clock = systemClock();
for (const writers of [1, 64])
  console.log(`sqlite, ${writers} writers: ${await writesPerSecond(writers)} writes/s`);
console.log(`schedule, 1000 pods on 100 nodes: ${scheduleMs(1000, 100)} ms`);

async function writesPerSecond(writers: number): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'orc-bench-'));
  const path = join(directory, 'store.db');
  const store = await openSqliteStore({ path, clock, rng: systemRng(), log: silentLog });
  const value = new Uint8Array(1024);
  const until = clock.monotonic() + 2000;
  let written = 0;
  const write = async (writer: number) => {
    while (clock.monotonic() < until) {
      const puts = [{ key: `/${writer}/${written++ % 1000}`, value }];
      await store.commit({ expect: [], puts, deletes: [] });
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  await store.close();
  await rm(directory, { recursive: true });
  return Math.round(written / 2);
}

function scheduleMs(podCount: number, nodeCount: number): number {
  const allocatable = { cpu: '16', memory: '64Gi', pods: '110' };
  const nodes = Array.from({ length: nodeCount }, (_, i) => ({
    ...anObject(Node, { metadata: { name: `n${i}` } }),
    status: { allocatable, conditions: [{ type: 'Ready', status: 'True' } as const] },
  }));
  const resources = { requests: { cpu: '100m', memory: '128Mi' } };
  const pods = Array.from({ length: podCount }, (_, i) =>
    anObject(Pod, {
      metadata: { name: `p${i}` },
      spec: { containers: [{ name: 'c', image: 'c:1', resources }] },
    }),
  );
  const start = clock.monotonic();
  let snapshot = takeSnapshot(nodes, () => []);
  for (const pod of pods) {
    const decision = schedule(pod, snapshot);
    if ('node' in decision) snapshot = assume(snapshot, pod, decision.node);
  }
  return Math.round(clock.monotonic() - start);
}
