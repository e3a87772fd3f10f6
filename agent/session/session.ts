import type { PodEvent } from '../../api/generated/agent.ts';
import { backoffMs, withJitter } from '../../base/backoff.ts';
import { sleep } from '../../base/clock.ts';
import { bulkSessions } from './bulk-sessions.ts';
import { type ControlStream, openControlStream } from './control-stream.ts';
import { identityKeeper } from './identity-keeper.ts';
import { dialController } from './link-clients.ts';
import type { SessionOptions } from './session-options.ts';

/** This node's link to its controller, for as long as the agent runs. */
export interface Session {
  /** Kept until it can be sent; of more than a thousand the oldest are dropped. */
  reportEvent(event: PodEvent): void;
  readonly connected: boolean;
  stop(): Promise<void>;
}

const reconnectBackoff = { firstMs: 100, capMs: 2000 };
/** For connecting and the first word: on a cut network TCP alone would try on with ever longer pauses. */
const firstWordTimeoutMs = 5000;
const maxEvents = 1000;

/** Dials, and dials again: one controller after the other, with growing pauses while none of them welcomes this node. */
export function startSession(options: SessionOptions): Session {
  const { clock, rng, log } = options;
  const stopping = new AbortController();
  const identity = identityKeeper(options);
  const outgoing = outgoingReports();
  let attempt = 0;

  const connect = async (address: string) => {
    const clients = dialController(address, identity.current());
    const stopRenewals = identity.keepRenewed(clients.control);
    const bulk = bulkSessions(clients.bulk, options);
    const call = clients.control.control();
    const hangUp = () => call.cancel();
    stopping.signal.addEventListener('abort', hangUp, { once: true });
    const stopWaiting = clock.after(firstWordTimeoutMs, hangUp);
    call.once('data', stopWaiting);
    call.on('drain', outgoing.flush);
    const stream = openControlStream({
      call,
      options,
      openSession: bulk.open,
      closeSession: bulk.close,
      onWelcome(welcomed) {
        attempt = 0;
        log.info({ component: 'session', address }, 'connected to the controller');
        outgoing.connected(welcomed);
      },
    });
    try {
      await stream.ended;
    } finally {
      outgoing.disconnected();
      stopWaiting();
      stopping.signal.removeEventListener('abort', hangUp);
      stopRenewals();
      bulk.closeAll();
      clients.close();
      await stream.settled();
    }
  };

  const run = async () => {
    for (let turn = 0; !stopping.signal.aborted; turn++) {
      const address = options.controllers[turn % options.controllers.length] ?? '';
      const err = await connect(address).catch((error: unknown) => error);
      if (stopping.signal.aborted) return;
      const retryInMs = withJitter(backoffMs(reconnectBackoff, ++attempt), rng);
      log.warn({ err, component: 'session', address, retryInMs }, 'controller lost');
      await sleep(clock, retryInMs, stopping.signal).catch(() => undefined);
    }
  };
  const running = run();

  return {
    reportEvent: (event) => outgoing.addEvent(event),
    get connected() {
      return outgoing.isConnected();
    },
    async stop() {
      stopping.abort(new Error('the session is stopping'));
      await running;
    },
  };
}

/** What isn't a pod's status: it waits here while there is no connection. */
function outgoingReports() {
  let stream: ControlStream | undefined;
  let events: readonly PodEvent[] = [];
  const flush = () => {
    if (events.length > 0 && stream?.sendEvents(events)) events = [];
  };
  return {
    flush,
    isConnected: () => stream !== undefined,
    connected(to: ControlStream) {
      stream = to;
      flush();
    },
    disconnected() {
      stream = undefined;
    },
    addEvent(event: PodEvent) {
      events = [...events, event].slice(-maxEvents);
      flush();
    },
  };
}
