import koffi from 'koffi';
import { openLibrary } from './open-library.ts';

/** What a service has to say to systemd. */
export interface Systemd {
  /** sd_notify(3): lines as "READY=1". */
  notify(state: string): void;
  /** A record of the journal: fields by their names. sd_journal_sendv(3) */
  journal(fields: Readonly<Record<string, string>>): void;
}

/** Throws if the library is not installed, naming the package that brings it. */
export function openSystemd(): Systemd {
  const library = openLibrary('libsystemd.so.0', 'libsystemd0');
  const notify = library.func('int sd_notify(int unset_environment, const char *state)');
  const iovec = koffi.struct({ base: 'void *', length: 'size_t' });
  const send = library.func('sd_journal_sendv', 'int', [koffi.pointer(iovec), 'int']);
  return {
    notify: (state) => void notify(0, state),
    journal(fields) {
      const parts = Object.entries(fields).map(([name, value]) => Buffer.from(`${name}=${value}`));
      send(
        parts.map((base) => ({ base, length: base.length })),
        parts.length,
      );
    },
  };
}
