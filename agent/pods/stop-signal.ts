import { constants } from 'node:os';

/** The first real-time signal that programs may use, as glibc counts them. */
const firstRealTime = 34;
const lastSignal = 64;

/** An image's STOPSIGNAL ("SIGINT", "INT", "2", "SIGRTMIN+3"); SIGTERM without one, or with one that nobody knows. */
export const stopSignalNumber = (stopSignal: string | undefined): number =>
  numbered(stopSignal ?? '') ?? named(stopSignal ?? '') ?? constants.signals.SIGTERM;

function numbered(text: string): number | undefined {
  const number = /^\d+$/.test(text) ? Number(text) : 0;
  return number >= 1 && number <= lastSignal ? number : undefined;
}

function named(text: string): number | undefined {
  const name = `SIG${text.toUpperCase().replace(/^SIG/, '')}`;
  const realTime = /^SIGRTM(?:IN(?:\+(\d+))?|AX(?:-(\d+))?)$/.exec(name);
  if (realTime) {
    const number = name.startsWith('SIGRTMAX')
      ? lastSignal - Number(realTime[2] ?? 0)
      : firstRealTime + Number(realTime[1] ?? 0);
    return number >= firstRealTime && number <= lastSignal ? number : undefined;
  }
  const known: Readonly<Record<string, number>> = constants.signals;
  return known[name];
}
