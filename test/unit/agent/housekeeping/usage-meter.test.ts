import { expect, it } from 'vitest';
import { type UsageSample, usageBetween } from '../../../../agent/housekeeping/usage-meter.ts';

const second = 1e9;
const sample = (
  atMs: number,
  cpuNs: number,
  containers: readonly (readonly [name: string, attempt: number, cpuNs: number])[],
): UsageSample => ({
  atMs,
  node: {
    cpuNs,
    memory: { totalBytes: 1000, availableBytes: 400 },
    disk: { freePercent: 50, freeInodesPercent: 50 },
    freePidsPercent: 50,
  },
  containers: containers.map(([name, attempt, ns]) => ({
    id: { uid: 'u', name, attempt },
    cpuNs: ns,
    memoryBytes: 10 * (attempt + 1),
  })),
});

it('is per second of the window; of several attempts only the newest counts, from its own beginning', () => {
  const before = sample(0, 100 * second, [
    ['web', 0, 5 * second],
    ['api', 9, 50 * second],
  ]);
  const now = sample(10_000, 110 * second, [
    ['web', 0, 7 * second],
    ['api', 10, 1 * second],
    ['api', 9, 51 * second],
  ]);
  expect(usageBetween(before, now)).toEqual({
    windowMs: 10_000,
    nodeCpuNanocores: second,
    nodeMemoryBytes: 600,
    containers: [
      { podUid: 'u', container: 'web', cpuNanocores: 0.2 * second, memoryBytes: 10 },
      { podUid: 'u', container: 'api', cpuNanocores: 0.1 * second, memoryBytes: 110 },
    ],
  });
});
