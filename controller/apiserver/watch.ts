import type { ServerResponse } from 'node:http';
import { StatusError } from '../../api/status.ts';
import { repeat } from '../../base/clock.ts';
import type { ObjectChange } from '../store/objects.ts';
import type { ApiServer, Call, Streaming } from './call.ts';
import { openEventStream } from './event-stream.ts';
import { awaitFresh, parseRevision } from './freshness.ts';
import { concerns } from './list-page.ts';
import { type Format, formatOf } from './media-type.ts';
import { type WatchOptions, watchOptions } from './request-options.ts';
import { type Selection, selectionOf } from './selection.ts';
import { statusOf } from './status-reply.ts';
import * as events from './watch-events.ts';

/** Reads the request and waits for its revision; what fails here is still an ordinary answer. */
export async function watchObjects(call: Call, server: ApiServer): Promise<Streaming> {
  const options = watchOptions(call.query);
  const format = formatOf(call.accept, call.query);
  const selects = selectionOf(call.kind, options);
  await awaitFresh(server, options.resourceVersion);
  const watch = { call, options, format, selects };
  return { stream: (response) => serveWatch(watch, server, response) };
}

type Asked = Readonly<{ call: Call; options: WatchOptions; format: Format; selects: Selection }>;

/** Streams until the client hangs up or reads too slowly, the time is over, the kind goes, or the server closes. */
function serveWatch(watch: Asked, server: ApiServer, response: ServerResponse): void {
  const { cache, clock, changes, closing, encodeShared } = server;
  const { call, format, selects, options } = watch;
  const { kind } = call;
  const { send, goLive, onEnd, end } = openEventStream(response, closing);
  if (!sendBacklog(watch, server, send)) {
    end();
    return;
  }
  goLive();
  const onChange = (change: ObjectChange) => {
    const event = concerns(change, call) ? events.eventOf(change, selects) : undefined;
    if (event) send(encodeShared(change, event, { kind, format, now: clock.now() }));
  };
  const sendBookmark = () => send(events.encodeBookmark({ kind, format }, cache.revision));
  onEnd(changes.subscribe(kind, { onChange, onGone: end }));
  onEnd(clock.after(timeoutMs(watch, server), end));
  if (options.allowWatchBookmarks) onEnd(repeat(clock, bookmarkMs, sendBookmark));
}

type Send = (chunk: string | Buffer) => void;

const bookmarkMs = 10_000;
const minTimeoutMs = 30 * 60_000;

function timeoutMs({ options }: Asked, { rng }: ApiServer): number {
  if (options.timeoutSeconds) return options.timeoutSeconds * 1000;
  return minTimeoutMs * (1 + rng.fraction());
}

/** What happened before now: the state as it is, or the changes since the given revision. False: too old. */
function sendBacklog(watch: Asked, { cache, clock }: ApiServer, send: Send): boolean {
  const { call, format, selects, options } = watch;
  const { resourceVersion, sendInitialEvents } = options;
  const encoding = { kind: call.kind, format, now: clock.now() };
  const startsAnywhere = resourceVersion === '' || resourceVersion === '0';
  if (sendInitialEvents ?? startsAnywhere) {
    for (const object of cache.list(call.kind, call.namespace || undefined))
      if (selects(object)) send(events.encodeEvent({ type: 'ADDED', object }, encoding));
    if (sendInitialEvents && options.allowWatchBookmarks)
      send(events.encodeBookmark(encoding, cache.revision, events.initialEventsEnd));
    return true;
  }
  if (startsAnywhere) return true;
  const missed = cache.changesSince(parseRevision(resourceVersion));
  if (missed === undefined) {
    send(events.encodeError(statusOf(tooOld(resourceVersion, cache.revision))));
    return false;
  }
  for (const change of missed) {
    const event = concerns(change, call) ? events.eventOf(change, selects) : undefined;
    if (event) send(events.encodeEvent(event, encoding));
  }
  return true;
}

const tooOld = (given: string, current: number) =>
  new StatusError('Expired', `too old resource version: ${given} (${current})`);
