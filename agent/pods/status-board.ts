import { isDeepStrictEqual } from 'node:util';
import type { ReportedStatus, StatusSource } from '../session/session-options.ts';

/** Where the workers put their pods' statuses; the session reads them there. */
export interface StatusBoard extends StatusSource {
  /** undefined: nothing (more) is to be said of this pod. Listeners hear only of what is not what was there. */
  set(uid: string, report: ReportedStatus | undefined): void;
}

export function statusBoard(): StatusBoard {
  const reports = new Map<string, ReportedStatus>();
  const listeners = new Set<(uid: string) => void>();
  return {
    statuses: () => reports,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    set(uid, report) {
      if (isDeepStrictEqual(reports.get(uid), report)) return;
      if (report) reports.set(uid, report);
      else reports.delete(uid);
      for (const listener of listeners) listener(uid);
    },
  };
}
