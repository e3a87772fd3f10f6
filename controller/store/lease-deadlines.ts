import type { Clock } from '../../base/clock.ts';
import type { Lease } from './revisions.ts';

/** The deadlines of leases. They are not stored: after a restart every lease has its whole time again. */
export interface LeaseDeadlines {
  start(lease: Lease): void;
  /** False: not known (any more). */
  renew(id: string): boolean;
  forget(id: string): void;
  close(): void;
}

export function leaseDeadlines(clock: Clock, expired: (lease: Lease) => void): LeaseDeadlines {
  const running = new Map<string, { readonly lease: Lease; readonly cancel: () => void }>();
  const forget = (id: string) => {
    running.get(id)?.cancel();
    running.delete(id);
  };
  const start = (lease: Lease) => {
    forget(lease.id);
    const cancel = clock.after(lease.ttlMs, () => {
      running.delete(lease.id);
      expired(lease);
    });
    running.set(lease.id, { lease, cancel });
  };
  return {
    start,
    renew(id) {
      const found = running.get(id);
      if (found) start(found.lease);
      return found !== undefined;
    },
    forget,
    close() {
      for (const id of running.keys()) forget(id);
    },
  };
}
