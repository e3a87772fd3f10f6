import type { Probe } from '../../api/probe.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import { withDeadline } from '../../base/deadline.ts';
import { rootCause } from '../../base/error-chain.ts';
import type { ProbeStates } from './pod-observation.ts';
import { type CheckTarget, runCheck } from './probe-check.ts';

export type ProbeKind = keyof ProbeStates;

export type Prober = ReturnType<typeof startProber>;

export interface ProberOptions {
  readonly target: CheckTarget;
  readonly clock: Clock;
  /** A verdict changed. */
  readonly onChange: () => void;
  /** A check failed: Kubernetes' Unhealthy event. */
  readonly onFailure: (kind: ProbeKind, why: string) => void;
}

/** The probes of one running container. Startup first; the other two begin once it has succeeded. */
export function startProber(options: ProberOptions) {
  const { startupProbe, readinessProbe, livenessProbe } = options.target.container;
  const states = new Map<ProbeKind, ProbeState>();
  const stopping = new AbortController();
  const { signal } = stopping;

  const loop = async (kind: ProbeKind, probe: Probe): Promise<void> => {
    await sleep(options.clock, (probe.initialDelaySeconds ?? 0) * 1000, signal);
    for (;;) {
      const outcome = await check(probe, options, signal);
      const before = states.get(kind) ?? unprobed;
      const after = afterCheck(before, outcome.ok, probe);
      states.set(kind, after);
      if (!outcome.ok) options.onFailure(kind, outcome.why);
      if (after.healthy !== before.healthy) options.onChange();
      if (kind === 'startup' && after.healthy !== undefined) return;
      await sleep(options.clock, probe.periodSeconds * 1000, signal);
    }
  };

  const run = async (): Promise<void> => {
    if (startupProbe) await loop('startup', startupProbe);
    if (states.get('startup')?.healthy === false) return;
    await Promise.all([
      readinessProbe && loop('readiness', readinessProbe),
      livenessProbe && loop('liveness', livenessProbe),
    ]);
  };
  // The loops end only by the signal: what they reject with is our own stop().
  run().catch(() => undefined);

  const verdict = (kind: ProbeKind) => states.get(kind)?.healthy;
  return {
    states: (): ProbeStates => ({
      startup: verdict('startup'),
      readiness: verdict('readiness'),
      liveness: verdict('liveness'),
    }),
    stop: () => stopping.abort(new Error('the container is no longer probed')),
  };
}

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

async function check(probe: Probe, { target, clock }: ProberOptions, parent: AbortSignal) {
  const limit = { clock, ms: probe.timeoutSeconds * 1000, what: 'probe', parent };
  try {
    return await withDeadline(limit, (signal) => runCheck(probe, target, signal));
  } catch (error) {
    parent.throwIfAborted();
    const cause = rootCause(error);
    return { ok: false, why: cause instanceof Error ? cause.message : String(cause) };
  }
}
