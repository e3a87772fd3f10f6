import koffi from 'koffi';

/** What a service has to say to systemd. */
export interface Systemd {
  /** sd_notify(3): lines as "READY=1". */
  notify(state: string): void;
  /** A record of the journal: fields by their names. sd_journal_sendv(3) */
  journal(fields: Readonly<Record<string, string>>): void;
}

/** Throws if the library is not installed, naming the package that brings it. */
export function openSystemd(): Systemd {
  const library = openLibrary();
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

function openLibrary() {
  try {
    return koffi.load('libsystemd.so.0');
  } catch (cause) {
    const advice = 'libsystemd.so.0 is not installed; on Debian: apt install libsystemd0';
    throw new Error(advice, { cause });
  }
}
