import { Node } from '../api/node.ts';
import { Pod } from '../api/pod.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { schedule } from '../controller/scheduler/schedule.ts';
import { assume, takeSnapshot } from '../controller/scheduler/snapshot.ts';
import { anObject } from '../test/support/an-object.ts';

/** 1000 pods placed on 100 nodes. */
const clock: Clock = systemClock();
console.log(`schedule, 1000 pods on 100 nodes: ${scheduleMs(1000, 100)} ms`);

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
