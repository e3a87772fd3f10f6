import { expect, it } from 'vitest';
import type { Lease } from '../../../../api/lease.ts';
import { silentLog } from '../../../../base/log.ts';
import { type NodeLeasesDeps, nodeLeases } from '../../../../controller/dispatcher/node-leases.ts';
import { fakeClock } from '../../../support/fake-clock.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** What is written of a node that beats each second for a minute: how old its last beat may get, and what it is granted. */
async function minuteOf(nodeGraceMs: number | undefined) {
  const clock = fakeClock();
  const written: { readonly at: number; readonly spec: Lease['spec'] }[] = [];
  const objects = {
    modify: async () => undefined,
    create: async (_: unknown, { spec }: Lease) => void written.push({ at: clock.now(), spec }),
  };
  const parts = { objects, cache: { get: () => undefined }, clock, log: silentLog, nodeGraceMs };
  // Only what a renewal needs of them.
  const leases = nodeLeases(parts as object as NodeLeasesDeps);
  for (let second = 0; second < 60; second++) {
    leases.beat('m1');
    clock.advance(1000);
    await turn();
  }
  await leases.stop();
  const beats = written.map(({ spec }) => Date.parse(spec.renewTime ?? ''));
  const unheardMs = written.map(({ at }, i) => at - (beats[i - 1] ?? 0));
  const granted = new Set(written.map(({ spec }) => spec.leaseDurationSeconds));
  return { writes: written.length, unheardMs: Math.max(...unheardMs), granted: [...granted] };
}

it.each([
  ['four seconds', undefined, { writes: 30, unheardMs: 3000, granted: [4] }],
  ['what it is told', 20_000, { writes: 6, unheardMs: 11_000, granted: [20] }],
  ['never less than four', 2000, { writes: 30, unheardMs: 3000, granted: [4] }],
])('a living node is granted %s, and written of in time', async (_, graceMs, expected) => {
  expect(await minuteOf(graceMs)).toEqual(expected);
});
