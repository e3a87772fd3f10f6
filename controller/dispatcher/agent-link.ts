import type { ServerDuplexStream } from '@grpc/grpc-js';
import type * as wire from '../../api/generated/agent.ts';
import type { Pod } from '../../api/pod.ts';
import type { LoopDeps } from '../store/loop.ts';
import { allRows, type NetworkRows, planNetwork } from './network-table.ts';
import { assignmentMessages } from './plan-assignments.ts';

export type ControlCall = ServerDuplexStream<wire.AgentMessage, wire.ControllerMessage>;

/** The writing side of the call. */
interface ControlOutput {
  /** False: taken, but full until 'drain'. */
  write(message: wire.ControllerMessage): boolean;
  end(): void;
  readonly destroyed: boolean;
  on(event: 'drain', listener: () => void): unknown;
}

export interface AgentLinkOptions extends Pick<LoopDeps, 'cache' | 'clock' | 'log'> {
  readonly nodeName: string;
  readonly call: ControlOutput;
  /** Ends its connection at once. */
  readonly cut: () => void;
  /** The agent is too old for this pod. */
  readonly refuse: (pod: Pod) => void;
}

/** So long an agent may leave its stream unread; then the link is cut, and it begins again with a snapshot. */
const unreadLimitMs = 10_000;

export type AgentLink = ReturnType<typeof agentLink>;

/**
 * One connected agent: keeps it at what the cache says it should have.
 * What is to be said is always computed from the cache when it can be sent: while the stream is full nothing queues up
 * but the names of what changed.
 */
export function agentLink(options: AgentLinkOptions) {
  const { cache, nodeName } = options;
  let assignments = assignmentMessages(nodeName, cache);
  let epoch = 0;
  /** False: this controller assigns nothing, or nothing any more. */
  let mayAssign = () => false;
  const outlet = openOutlet(options, () => wake());
  let dirtyRows = noRows();
  let podsDirty = false;
  let awake = false;

  const generation = (): wire.Generation => ({ epoch, revision: cache.revision });
  const sendPods = () => {
    for (const message of assignments.next(generation()))
      if (message.$case === 'refuse') options.refuse(message.value);
      else outlet.send(message);
  };
  const sendNetwork = (rows: NetworkRows) =>
    outlet.send({ $case: 'network', value: planNetwork(rows, cache, generation()) });
  const flush = () => {
    awake = false;
    if (!outlet.isOpen()) return;
    const [pods, rows] = [podsDirty, dirtyRows];
    podsDirty = false;
    dirtyRows = noRows();
    if (!mayAssign()) return;
    if (pods) sendPods();
    if (hasRows(rows)) sendNetwork(rows);
  };
  const wake = () => {
    if (awake || !(podsDirty || hasRows(dirtyRows))) return;
    awake = true;
    queueMicrotask(flush);
  };

  return {
    nodeName,
    /** Says what this controller is to the agent, and as the leader everything that it should know. Safe to repeat. */
    greet(welcome: wire.Welcome, holds: () => boolean) {
      assignments = assignmentMessages(nodeName, cache);
      epoch = welcome.fenceEpoch;
      mayAssign = holds;
      outlet.send({ $case: 'welcome', value: welcome });
      if (!mayAssign()) return;
      outlet.send({ $case: 'snapshotBegin', value: { generation: generation() } });
      sendPods();
      sendNetwork(allRows(cache));
      outlet.send({ $case: 'snapshotEnd', value: {} });
    },
    /** Something about its pods may have changed. Many wakes in one tick are one message round. */
    wakePods() {
      podsDirty = true;
      wake();
    },
    wakeNetwork(rows: NetworkRows) {
      for (const key of rows.services) dirtyRows.services.add(key);
      for (const name of rows.nodes) dirtyRows.nodes.add(name);
      wake();
    },
    /** True if its pods name this object: "ConfigMap/namespace/name". */
    names: (object: string) => assignments.names(object),
    openSession: (value: wire.OpenSession) => outlet.send({ $case: 'openSession', value }),
    closeSession: (id: string) => outlet.send({ $case: 'closeSession', value: id }),
    /** It reported a pod that isn't its own. */
    removePod: (uid: string) =>
      outlet.send({ $case: 'remove', value: { uid, generation: generation() } }),
    /** The call ends; the agent will dial again. */
    close: outlet.close,
  };
}

type Said = NonNullable<wire.ControllerMessage['message']>;

const hasRows = ({ services, nodes }: NetworkRows) => services.size > 0 || nodes.size > 0;
const noRows = () => ({ services: new Set<string>(), nodes: new Set<string>() });

function openOutlet(options: AgentLinkOptions, onDrain: () => void) {
  const { call, clock, log, nodeName } = options;
  let full = false;
  let closed = false;
  let cancel = () => {};
  const cut = () => {
    closed = true;
    log.warn({ component: 'dispatcher', node: nodeName }, 'agent does not read: link cut');
    options.cut();
  };
  call.on('drain', () => {
    full = false;
    cancel();
    onDrain();
  });
  return {
    send(message: Said) {
      if (closed || call.destroyed) return;
      const hasRoom = call.write({ message });
      if (hasRoom || full) return;
      full = true;
      cancel = clock.after(unreadLimitMs, cut);
    },
    /** False while the stream is full. */
    isOpen: () => !full && !closed,
    close() {
      closed = true;
      cancel();
      call.end();
    },
  };
}
