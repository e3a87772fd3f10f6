import { isDeepStrictEqual } from 'node:util';
import type { ReportedStatus } from '../session/session-options.ts';

export type StatusBoard = ReturnType<typeof statusBoard>;

/** Where the workers put their pods' statuses; the session reads them there. */
export function statusBoard() {
  const reports = new Map<string, ReportedStatus>();
  const listeners = new Set<(uid: string) => void>();
  return {
    statuses: (): ReadonlyMap<string, ReportedStatus> => reports,
    onChange(listener: (uid: string) => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    /** undefined: nothing (more) is to be said of this pod. Listeners hear only of what is not what was there. */
    set(uid: string, report: ReportedStatus | undefined): void {
      if (isDeepStrictEqual(reports.get(uid), report)) return;
      if (report) reports.set(uid, report);
      else reports.delete(uid);
      for (const listener of listeners) listener(uid);
    },
  };
}
