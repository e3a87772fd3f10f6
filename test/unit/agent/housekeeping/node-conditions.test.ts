import { describe, expect, it } from 'vitest';
import { planConditions } from '../../../../agent/housekeeping/node-conditions.ts';
import type { NodeMeasure } from '../../../../agent/housekeeping/node-measure.ts';

const roomy: NodeMeasure = {
  cpuNs: 0,
  memory: { totalBytes: 4e9, availableBytes: 2e9 },
  disk: { freePercent: 50, freeInodesPercent: 50 },
  freePidsPercent: 90,
};
const limits = { minFreeDiskPercent: 10 };
const plan = (measure: Partial<NodeMeasure>, before = planConditions([], roomy, limits)) =>
  planConditions(before, { ...roomy, ...measure }, limits);
const short = (conditions: ReturnType<typeof planConditions>) =>
  conditions.filter(({ status }) => status === 'True').map(({ type }) => type);
const disk = (freePercent: number, freeInodesPercent = 50) => ({
  disk: { freePercent, freeInodesPercent },
});

describe('a node', () => {
  it.each([
    [{}, []],
    [disk(10), []],
    [disk(9.9), ['DiskPressure']],
    [disk(50, 4.9), ['DiskPressure']],
    [{ memory: { totalBytes: 4e9, availableBytes: 1e8 } }, ['MemoryPressure']],
    [{ freePidsPercent: 4 }, ['PIDPressure']],
  ] as const)('with %o has %o', (measure, expected) => {
    expect(short(plan(measure))).toEqual(expected);
  });

  it('says all three, with a reason and a sentence, and says nothing new while nothing changes', () => {
    const said = planConditions([], roomy, limits);
    expect(said.map(({ type, status }) => `${type}=${status}`)).toEqual([
      'DiskPressure=False',
      'MemoryPressure=False',
      'PIDPressure=False',
    ]);
    expect(said.every(({ reason, message }) => reason && message)).toBe(true);
    expect(plan(disk(40), said)).toBe(said);
  });

  it('has pressure until there is a little more room than what began it', () => {
    const pressed = plan(disk(9));
    expect(plan(disk(10.5), pressed)).toBe(pressed);
    expect(short(plan(disk(11.1), pressed))).toEqual([]);
  });
});
