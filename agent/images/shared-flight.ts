import { orAborted } from '../../base/deadline.ts';

interface Flight<T, V> {
  readonly outcome: Promise<T>;
  /** What passengers may look at on the way. */
  readonly view?: V | undefined;
}

interface Shared<T, V> extends Flight<T, V> {
  readonly controller: AbortController;
  passengers: number;
}

/**
 * Runs one thing per key at a time; whoever asks meanwhile shares its outcome. The work is aborted when the last caller's
 * signal is.
 */
export function sharedFlights<T, V = undefined>() {
  const flights = new Map<string, Shared<T, V>>();
  const begin = (key: string, start: (signal: AbortSignal) => Flight<T, V>) => {
    const controller = new AbortController();
    const { outcome, view } = start(controller.signal);
    const settled = outcome.finally(() => {
      if (flights.get(key) === flight) flights.delete(key);
    });
    const flight: Shared<T, V> = { outcome: settled, view, controller, passengers: 0 };
    flights.set(key, flight);
    return flight;
  };
  const ride = async (key: string, flight: Shared<T, V>, signal: AbortSignal): Promise<T> => {
    flight.passengers += 1;
    try {
      return await orAborted(flight.outcome, signal);
    } finally {
      flight.passengers -= 1;
      if (flight.passengers === 0 && signal.aborted) {
        if (flights.get(key) === flight) flights.delete(key);
        flight.controller.abort(signal.reason);
      }
    }
  };
  return {
    /** Throws the signal's reason if it is aborted. */
    board(key: string, signal: AbortSignal, start: (signal: AbortSignal) => Flight<T, V>) {
      signal.throwIfAborted();
      const flight = flights.get(key) ?? begin(key, start);
      return { view: flight.view, outcome: ride(key, flight, signal) };
    },
    view: (key: string) => flights.get(key)?.view,
  };
}
