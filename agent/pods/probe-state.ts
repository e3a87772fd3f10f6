import type { Probe } from '../../api/probe.ts';

/** How a probe stands: its verdict, and what counts towards the other one. */
export interface ProbeState {
  /** undefined until a threshold was reached for the first time. */
  readonly healthy: boolean | undefined;
  readonly successes: number;
  readonly failures: number;
}

export const unprobed: ProbeState = { healthy: undefined, successes: 0, failures: 0 };

/** The state after one more check. Thresholds count checks in a row. Pure. */
export function afterCheck(state: ProbeState, ok: boolean, probe: Probe): ProbeState {
  const successes = ok ? state.successes + 1 : 0;
  const failures = ok ? 0 : state.failures + 1;
  if (successes >= probe.successThreshold) return { healthy: true, successes, failures };
  if (failures >= probe.failureThreshold) return { healthy: false, successes, failures };
  return { healthy: state.healthy, successes, failures };
}
