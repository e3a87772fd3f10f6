import { expect, it } from 'vitest';
import { afterCheck, unprobed } from '../../../../agent/pods/prober.ts';
import type { Probe } from '../../../../api/probe.ts';

const probe: Probe = {
  timeoutSeconds: 1,
  periodSeconds: 1,
  successThreshold: 2,
  failureThreshold: 3,
};
const verdictsOf = (checks: string) =>
  checks.split('').reduce<{ state: typeof unprobed; verdicts: (boolean | undefined)[] }>(
    ({ state, verdicts }, c) => {
      const next = afterCheck(state, c === '+', probe);
      return { state: next, verdicts: [...verdicts, next.healthy] };
    },
    { state: unprobed, verdicts: [] },
  ).verdicts;

it('is undecided until a threshold is reached', () => {
  expect(verdictsOf('+')).toEqual([undefined]);
  expect(verdictsOf('--')).toEqual([undefined, undefined]);
});
it('is healthy after two successes in a row, unhealthy after three failures in a row', () => {
  expect(verdictsOf('++---')).toEqual([undefined, true, true, true, false]);
});
it('counts only what comes in a row', () => {
  expect(verdictsOf('++--+--+')).toEqual([undefined, true, true, true, true, true, true, true]);
});
