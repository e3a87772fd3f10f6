import type { ClientDuplexStream } from '@grpc/grpc-js';
import type * as wire from '../../api/generated/agent.ts';
import { repeat } from '../../base/clock.ts';
import { errorChain } from '../../base/error-chain.ts';
import type { LedgerChange, NewAssignment } from '../ledger/assignment.ts';
import { ledgerFeed } from './ledger-feed.ts';
import type { SessionOptions } from './session-options.ts';
import { type StatusOutbox, statusOutbox } from './status-outbox.ts';

type ControlCall = ClientDuplexStream<wire.AgentMessage, wire.ControllerMessage>;

export interface ControlStreamParts {
  readonly call: ControlCall;
  readonly options: SessionOptions;
  readonly openSession: (session: wire.OpenSession) => void;
  readonly closeSession: (id: string) => void;
  readonly reportEvent: (event: wire.PodEvent) => void;
  /** The controller knows this node. `leaderEpoch`: it leads; undefined: it only opens sessions. May change. */
  readonly onWelcome: (stream: ControlStream, leaderEpoch: number | undefined) => void;
  /** All that the leader had to say is in the ledger, or on its way there. */
  readonly onSnapshot: (stream: ControlStream) => void;
}

/** What a node says that isn't a pod's status. */
export type NodeReport = Extract<
  NonNullable<wire.AgentMessage['message']>,
  { $case: 'events' | 'conditions' | 'usage' }
>;

export interface ControlStream {
  /** False: the stream is full: it was not sent. */
  send(report: NodeReport): boolean;
  /** Ends it; what was on its way is lost. */
  hangUp(): void;
  /** Settles when the stream has ended; rejects if not by its own doing. */
  readonly ended: Promise<void>;
  /** Resolves when the ledger has taken or refused all that was received. */
  settled(): Promise<void>;
}

const heartbeatIntervalMs = 1000;

/** One control stream from Hello to its end. What it holds dies with it: the next one begins with a snapshot. */
export function openControlStream(parts: ControlStreamParts): ControlStream {
  const { call, options } = parts;
  const ended = Promise.withResolvers<void>();
  const send = (message: NonNullable<wire.AgentMessage['message']>) =>
    call.destroyed || call.write({ message });
  const beat = () => {
    if (!call.writableNeedDrain) call.write({ message: { $case: 'heartbeat', value: {} } });
  };
  let stopHeartbeats: (() => Promise<void>) | undefined;
  let outbox: StatusOutbox | undefined;
  const close = () => {
    void stopHeartbeats?.();
    outbox?.close();
  };
  const stream: ControlStream = {
    send(report) {
      if (call.writableNeedDrain || call.destroyed) return false;
      return send(report) || true;
    },
    hangUp: () => call.cancel(),
    ended: ended.promise,
    settled: () => settled(),
  };
  const settled = takeMessages(parts, {
    onWelcome({ leading, fenceEpoch }) {
      close();
      outbox = undefined;
      // For the leader: nobody else asks whether this node lives.
      if (leading) stopHeartbeats = repeat(options.clock, heartbeatIntervalMs, beat);
      parts.onWelcome(stream, leading ? fenceEpoch : undefined);
    },
    onSnapshot() {
      outbox = statusOutbox({
        source: options.statuses,
        clock: options.clock,
        send: (pods) => send({ $case: 'statuses', value: { pods } }),
      });
      outbox.sendAll();
      parts.onSnapshot(stream);
    },
  });
  call.on('drain', () => outbox?.drained());
  call.on('error', (error) => {
    close();
    ended.reject(error);
  });
  call.on('end', () => {
    close();
    ended.resolve();
  });
  send({ $case: 'hello', value: helloOf(options) });
  return stream;
}

function helloOf({ describeNode, nodeName, ledger }: SessionOptions) {
  const known = ledger.generation();
  return { ...describeNode(), nodeName, known: known && { ...known } };
}

type Milestones = Readonly<{ onWelcome(welcome: wire.Welcome): void; onSnapshot(): void }>;

/** The stream is read no faster than the ledger gets to the disk. Returns what waits for the ledger. */
function takeMessages(parts: ControlStreamParts, on: Milestones): () => Promise<void> {
  const { call } = parts;
  const changeFor = ledgerFeed();
  const maxPending = 256;
  const pending = new Set<Promise<void>>();
  call.on('data', ({ message }: wire.ControllerMessage) => {
    if (!message) return;
    if (message.$case === 'openSession') parts.openSession(message.value);
    if (message.$case === 'closeSession') parts.closeSession(message.value);
    const change = changeFor(message);
    if (message.$case === 'welcome') on.onWelcome(message.value);
    if (message.$case === 'snapshotEnd') on.onSnapshot();
    if (!change) return;
    const accepted = acceptChange(parts, change).finally(() => {
      pending.delete(accepted);
      if (pending.size < maxPending) call.resume();
    });
    pending.add(accepted);
    if (pending.size >= maxPending) call.pause();
  });
  return async () => {
    await Promise.all(pending);
  };
}

/** A full disk stays full for a while; and what is said of it must get through. */
const refusedPauseMs = 2000;

/** A ledger that can't be written ends the stream, soon: the next one begins with everything again. */
async function acceptChange(
  { call, options, reportEvent }: ControlStreamParts,
  change: LedgerChange,
): Promise<void> {
  const { ledger, log, clock } = options;
  try {
    await ledger.accept(change);
  } catch (err) {
    log.error({ err, component: 'session' }, 'assignment not taken');
    const message = `The node can't take this pod: ${errorChain(err)}`;
    for (const { uid: podUid, pod } of podsOf(change)) {
      const { namespace = '', name } = pod.metadata;
      const about = { podUid, namespace, name, fieldPath: '' };
      if (!ledger.pods().has(podUid))
        reportEvent({ ...about, type: 'Warning', reason: 'FailedAssignment', message });
    }
    clock.after(refusedPauseMs, () => call.cancel());
  }
}

function podsOf(change: LedgerChange): readonly NewAssignment[] {
  if (change.kind === 'snapshot') return change.pods;
  return change.kind === 'assign' ? [change.pod] : [];
}
