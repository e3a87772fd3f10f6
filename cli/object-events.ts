import { type Event, lastHappened } from '../api/event.ts';

/** The latest last; of the same second, as they were written. Pure. */
export const sortEvents = (events: readonly Event[]): readonly Event[] =>
  events.toSorted(
    (a, b) =>
      Date.parse(lastHappened(a)) - Date.parse(lastHappened(b)) ||
      Number(a.metadata.resourceVersion) - Number(b.metadata.resourceVersion),
  );

/** Also how often. */
export const eventMessage = ({ message = '', count = 1 }: Event): string =>
  `${message.trim()}${count > 1 ? ` (${count} times)` : ''}`;
