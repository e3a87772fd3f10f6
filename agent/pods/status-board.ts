import type { ReportedStatus, StatusSource } from '../session/status-source.ts';

/** Where the workers put their pods' statuses; the session reads them there. */
export interface StatusBoard extends StatusSource {
  /** undefined: nothing (more) is to be said of this pod. Listeners hear only of what is not what was there. */
  set(uid: string, report: ReportedStatus | undefined): void;
}

export function statusBoard(): StatusBoard {
  const reports = new Map<string, ReportedStatus>();
  const shown = new Map<string, string>();
  const listeners = new Set<(uid: string) => void>();
  return {
    statuses: () => reports,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    set(uid, report) {
      const text = report && JSON.stringify(report);
      if (shown.get(uid) === text) return;
      if (report && text) {
        reports.set(uid, report);
        shown.set(uid, text);
      } else {
        reports.delete(uid);
        shown.delete(uid);
      }
      for (const listener of listeners) listener(uid);
    },
  };
}
