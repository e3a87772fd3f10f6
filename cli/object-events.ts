import type { Event } from '../api/event.ts';

/** When it last happened. */
export const eventTime = (event: Event): string =>
  event.series?.lastObservedTime ??
  event.lastTimestamp ??
  event.eventTime ??
  event.firstTimestamp ??
  event.metadata.creationTimestamp;

/** The latest last; of the same second, as they were written. Pure. */
export const sortEvents = (events: readonly Event[]): readonly Event[] =>
  events.toSorted(
    (a, b) =>
      Date.parse(eventTime(a)) - Date.parse(eventTime(b)) ||
      Number(a.metadata.resourceVersion) - Number(b.metadata.resourceVersion),
  );

/** Also how often. */
export const eventMessage = ({ message = '', count = 1 }: Event): string =>
  `${message.trim()}${count > 1 ? ` (${count} times)` : ''}`;
