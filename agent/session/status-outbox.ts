import type { PodReport } from '../../api/generated/agent.ts';
import type { Clock } from '../../base/clock.ts';
import type { ReportedStatus, StatusSource } from './session-options.ts';

export interface StatusOutboxOptions {
  readonly source: StatusSource;
  readonly clock: Clock;
  /** False: taken, but nothing more until {@link StatusOutbox.drained}. */
  readonly send: (pods: PodReport[]) => boolean;
}

export type StatusOutbox = ReturnType<typeof statusOutbox>;

/** At most one message in so long; a lone change goes at once. */
const batchMs = 20;

/** Sends what changed, as it is when it is sent: however long the stream was full, each pod is in it once. */
export function statusOutbox({ source, clock, send }: StatusOutboxOptions) {
  const changed = new Set<string>();
  let lastSentAt = Number.NEGATIVE_INFINITY;
  let full = false;
  let cancel: (() => void) | undefined;

  const flush = () => {
    cancel = undefined;
    if (full || changed.size === 0) return;
    const statuses = source.statuses();
    const pods = [...changed].flatMap((uid) => statuses.get(uid) ?? []).map(report);
    changed.clear();
    if (pods.length === 0) return;
    lastSentAt = clock.monotonic();
    full = !send(pods);
  };
  const schedule = () => {
    if (full) return;
    cancel ??= clock.after(Math.max(0, lastSentAt + batchMs - clock.monotonic()), flush);
  };
  const unsubscribe = source.onChange((uid) => {
    changed.add(uid);
    schedule();
  });
  return {
    /** Every pod, once: the controller may have missed anything. */
    sendAll(): void {
      for (const uid of source.statuses().keys()) changed.add(uid);
      schedule();
    },
    drained(): void {
      full = false;
      schedule();
    },
    close(): void {
      unsubscribe();
      cancel?.();
    },
  };
}

const report = ({ status, generation, ...pod }: ReportedStatus): PodReport => ({
  ...pod,
  generation: { ...generation },
  statusJson: JSON.stringify(status),
});
