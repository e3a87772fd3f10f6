import { orAborted } from '../../base/deadline.ts';

interface Flight<T> {
  readonly outcome: Promise<T>;
  readonly controller: AbortController;
  passengers: number;
}

type Work<T> = (signal: AbortSignal) => Promise<T>;

/**
 * Runs one thing per key at a time; whoever asks meanwhile shares its outcome. The work is aborted when the last caller's
 * signal is.
 */
export function sharedFlights<T>() {
  const flights = new Map<string, Flight<T>>();
  const start = (key: string, work: Work<T>): Flight<T> => {
    const controller = new AbortController();
    const outcome = work(controller.signal).finally(() => {
      if (flights.get(key) === flight) flights.delete(key);
    });
    const flight: Flight<T> = { outcome, controller, passengers: 0 };
    flights.set(key, flight);
    return flight;
  };
  return async (key: string, signal: AbortSignal, work: Work<T>): Promise<T> => {
    signal.throwIfAborted();
    const flight = flights.get(key) ?? start(key, work);
    flight.passengers += 1;
    try {
      return await orAborted(flight.outcome, signal);
    } finally {
      flight.passengers -= 1;
      if (flight.passengers === 0 && signal.aborted) {
        flights.delete(key);
        flight.controller.abort(signal.reason);
      }
    }
  };
}
