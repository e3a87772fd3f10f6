import type { PodEvent, Usage } from '../../api/generated/agent.ts';
import type { NodeCondition } from '../../api/node.ts';
import { backoffMs, withJitter } from '../../base/backoff.ts';
import { sleep } from '../../base/clock.ts';
import { bulkSessions } from './bulk-sessions.ts';
import { type ControlStream, type NodeReport, openControlStream } from './control-stream.ts';
import { flawOf, type IdentityKeeper, identityKeeper } from './identity-keeper.ts';
import { dialController } from './link-clients.ts';
import type { SessionOptions } from './session-options.ts';

export type Session = ReturnType<typeof startSession>;

const reconnectBackoff = { firstMs: 100, capMs: 2000 };
/** While there is a leader, the others are not in a hurry: one of them may be off for days. */
const followerBackoff = { firstMs: 100, capMs: 10_000 };
/**
 * For connecting: on a cut network TCP alone would try on with ever longer pauses. A controller that couldn't pick up in
 * the first of these has much to do just now, perhaps because every agent calls again. One that has may take its time.
 */
const connectBackoff = { firstMs: 5000, capMs: 10_000 };
const maxEvents = 1000;

/**
 * This node's links to its controllers, for as long as the agent runs. Dials every one, and dials again: each with growing
 * pauses while it doesn't welcome this node.
 */
export function startSession(options: SessionOptions) {
  const stopping = new AbortController();
  const shared: Shared = {
    options,
    signal: stopping.signal,
    identity: identityKeeper(options),
    leader: leaderLine(options),
    welcomed: new Set(),
  };
  const running = options.controllers.map((address) => keepLink(shared, address));
  return {
    /** Kept until it can be sent; of more than a thousand the oldest are dropped. */
    reportEvent: shared.leader.addEvent,
    /** The newest ones are told to every leader. */
    reportConditions: shared.leader.setConditions,
    /** To every controller that there is a link to just now. */
    reportUsage(value: Usage): void {
      for (const stream of shared.welcomed) stream.send({ $case: 'usage', value });
    },
    /** With the leader. */
    get connected() {
      return shared.leader.isConnected();
    },
    async stop(): Promise<void> {
      stopping.abort(new Error('the session is stopping'));
      await Promise.all(running);
    },
  };
}

/** What the links have in common. */
interface Shared {
  readonly options: SessionOptions;
  readonly signal: AbortSignal;
  readonly identity: IdentityKeeper;
  readonly leader: LeaderLine;
  readonly welcomed: Set<ControlStream>;
}

async function keepLink(shared: Shared, address: string): Promise<void> {
  const { options, signal } = shared;
  const { clock, log, rng } = options;
  let failures = 0;
  const onWelcome = () => {
    failures = 0;
    log.info({ component: 'session', address }, 'connected to the controller');
  };
  while (!signal.aborted) {
    const connectMs = backoffMs(connectBackoff, failures + 1);
    const link: Link = { address, connectMs, onWelcome };
    const err = await connect(shared, link).catch((error: unknown) => error);
    if (signal.aborted) return;
    const backoff = shared.leader.isConnected() ? followerBackoff : reconnectBackoff;
    const retryInMs = withJitter(backoffMs(backoff, ++failures), rng);
    const flaw = flawOf(shared.identity.current(), clock.now());
    const why = flaw === undefined ? { err } : { err, reason: flaw };
    log.warn({ ...why, component: 'session', address, retryInMs }, 'controller lost');
    const sooner = AbortSignal.any([signal, shared.leader.lost()]);
    await sleep(clock, retryInMs, sooner).catch(() => undefined);
  }
}

type Link = Readonly<{ address: string; connectMs: number; onWelcome: () => void }>;

/** One connection, to its end. */
async function connect(shared: Shared, { address, connectMs, onWelcome }: Link): Promise<void> {
  const { options, signal, identity, leader } = shared;
  const dial = () => dialController(address, identity.current());
  const client = dial();
  const stopRenewals = identity.keepRenewed(client);
  const bulk = bulkSessions(dial, options);
  const call = client.control();
  const hangUp = () => call.cancel();
  signal.addEventListener('abort', hangUp, { once: true });
  const stopWaiting = options.clock.after(connectMs, hangUp);
  call.once('metadata', stopWaiting);
  call.on('drain', leader.flush);
  const stream = openControlStream({
    call,
    options,
    openSession: bulk.open,
    closeSession: bulk.close,
    reportEvent: leader.addEvent,
    onWelcome(welcomed, leaderEpoch) {
      shared.welcomed.add(welcomed);
      leader.disconnected(welcomed);
      if (leaderEpoch !== undefined && !leader.accept(welcomed, leaderEpoch)) welcomed.hangUp();
      else onWelcome();
    },
    onSnapshot: leader.connected,
  });
  try {
    await stream.ended;
  } finally {
    leader.disconnected(stream);
    shared.welcomed.delete(stream);
    stopWaiting();
    signal.removeEventListener('abort', hangUp);
    stopRenewals();
    bulk.closeAll();
    client.close();
    await stream.settled();
  }
}

type LeaderLine = ReturnType<typeof leaderLine>;

/**
 * The stream of the newest leader. What isn't a pod's status waits here while there is none. A deposed leader that
 * doesn't know it yet is hung up on.
 */
function leaderLine({ log }: Pick<SessionOptions, 'log'>) {
  let newestEpoch = 0;
  let accepted: ControlStream | undefined;
  let stream: ControlStream | undefined;
  let events: readonly PodEvent[] = [];
  let conditions: NodeReport | undefined;
  let hasConditions = false;
  let lost = new AbortController();
  const flush = () => {
    if (events.length > 0 && stream?.send({ $case: 'events', value: { events: [...events] } }))
      events = [];
    if (conditions && !hasConditions) hasConditions = stream?.send(conditions) ?? false;
  };
  return {
    flush,
    isConnected: () => stream !== undefined,
    /** Aborts when the leader's stream ends. */
    lost: () => lost.signal,
    /** False: a newer one is known. */
    accept(candidate: ControlStream, epoch: number): boolean {
      if (epoch < newestEpoch) {
        log.warn({ component: 'session', epoch }, 'a controller that no longer leads');
        return false;
      }
      newestEpoch = epoch;
      accepted?.hangUp();
      accepted = candidate;
      stream = undefined;
      return true;
    },
    connected(to: ControlStream) {
      if (to !== accepted) return;
      stream = to;
      hasConditions = false;
      flush();
    },
    disconnected(from: ControlStream) {
      if (from !== accepted) return;
      accepted = undefined;
      stream = undefined;
      lost.abort();
      lost = new AbortController();
    },
    addEvent(event: PodEvent) {
      events = [...events, event].slice(-maxEvents);
      flush();
    },
    setConditions(next: readonly NodeCondition[]) {
      const conditionJson = next.map((condition) => JSON.stringify(condition));
      conditions = { $case: 'conditions', value: { conditionJson } };
      hasConditions = false;
      flush();
    },
  };
}
