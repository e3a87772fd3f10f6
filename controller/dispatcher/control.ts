import { Metadata } from '@grpc/grpc-js';
import type { AgentMessage, Hello, NodeConditions } from '../../api/generated/agent.ts';
import type { NodeCondition } from '../../api/node.ts';
import type { Base } from '../../base/base.ts';
import type { RecordEvent } from '../store/event-recorder.ts';
import type { Cache, Objects } from '../store/objects.ts';
import type { UsageBoard } from '../usage-board.ts';
import { happeningOf } from './agent-events.ts';
import { type AgentLink, agentLink, type ControlCall } from './agent-link.ts';
import type { NodeLeases } from './node-leases.ts';
import type { NodeRegistry } from './node-registry.ts';
import { nodeOfCall, notANode, refusal, refuse } from './peer.ts';
import type { PodReports } from './pod-reports.ts';
import type { ServerIdentity } from './server-credentials.ts';

export interface DispatcherDeps extends Base {
  readonly cache: Cache;
  readonly identity: ServerIdentity;
  readonly usage: UsageBoard;
  readonly network: ClusterNetwork;
  /** A node that is silent for so long is given up. Default: 4000, no shorter. */
  readonly nodeGraceMs?: number | undefined;
  /** A certificate for this node and the request's key: CertificateAuthority.signNode. */
  readonly signNode: (csr: string, nodeName: string) => Promise<string>;
}

/** What the dispatcher has while its controller leads. */
export interface Leadership {
  /** Fenced, as are the recorder's: a deposed leader writes nothing. */
  readonly objects: Objects;
  readonly recordEvent: RecordEvent;
  readonly epoch: number;
  /** False from the moment on at which another one may lead. */
  holds(): boolean;
}

export interface ClusterNetwork {
  /** "10.244.0.0/14" */
  readonly clusterPodCidr: string;
  /** Prefix length of each node's part of it. 22: 1024 addresses. */
  readonly nodePrefix: number;
  readonly serviceCidr: string;
  readonly dnsServiceIp: string;
  readonly clusterDomain: string;
}

export interface ControlParts {
  readonly deps: DispatcherDeps;
  /** undefined: another controller leads. */
  readonly leading: () => Leading | undefined;
  /** Called when that changes; kept here: each agent is greeted again. */
  readonly greetings: Set<() => void>;
  /** The connected agents; kept here. */
  readonly links: Map<string, AgentLink>;
  /** Ends a peer's connection. */
  readonly cut: (peer: string) => void;
}

/** Who only the leader listens to the agents for. */
export interface Leading extends Leadership {
  readonly registry: NodeRegistry;
  readonly leases: NodeLeases;
  readonly reports: PodReports;
}

/** One agent's control stream, from its Hello to its end. */
export function serveControl(parts: ControlParts, call: ControlCall): void {
  const { log } = parts.deps;
  const nodeName = nodeOfCall(call);
  call.on('error', (err) => log.debug({ err, component: 'dispatcher' }, 'control stream failed'));
  if (nodeName === undefined) {
    refuse(call, notANode());
    return;
  }
  // It has been picked up: the agent need not dial again, however long the welcome takes.
  call.sendMetadata(new Metadata());
  const stream = new ControlStream(parts, call, nodeName);
  call.on('data', ({ message }: AgentMessage) => message && stream.take(message));
  for (const event of ['end', 'close', 'cancelled'] as const) call.on(event, () => stream.end());
}

type Message = NonNullable<AgentMessage['message']>;

class ControlStream {
  readonly #parts: ControlParts;
  readonly #call: ControlCall;
  readonly #nodeName: string;
  /** Once it has said Hello: greets it, as whoever leads then. */
  #greet: (() => void) | undefined;
  /** Once it has been welcomed. */
  #link: AgentLink | undefined;
  /** Its reports go there, if anywhere. */
  #leading: Leading | undefined;
  #isOver = false;

  constructor(parts: ControlParts, call: ControlCall, nodeName: string) {
    this.#parts = parts;
    this.#call = call;
    this.#nodeName = nodeName;
  }

  /** What a node sends is never believed to make sense: nonsense costs it its link, and nobody else anything. */
  take(message: Message): void {
    if (message.$case === 'hello' && !this.#greet) this.#begin(message.value);
    if (!this.#link) return;
    try {
      this.#takeReport(this.#link, message);
    } catch (err) {
      const { log } = this.#parts.deps;
      log.warn({ err, component: 'dispatcher', node: this.#nodeName }, 'message refused');
      refuse(this.#call, refusal('INVALID_ARGUMENT', `malformed message: ${message.$case}`));
    }
  }

  end(): void {
    const { links, deps, greetings } = this.#parts;
    this.#isOver = true;
    if (this.#greet) greetings.delete(this.#greet);
    this.#link?.close();
    if (!this.#link || links.get(this.#nodeName) !== this.#link) return;
    links.delete(this.#nodeName);
    deps.log.info({ component: 'dispatcher', node: this.#nodeName }, 'agent disconnected');
  }

  #begin(hello: Hello): void {
    const { deps, greetings } = this.#parts;
    this.#greet = () =>
      void this.#welcome(hello).catch((err: unknown) => {
        deps.log.warn({ err, component: 'dispatcher', node: this.#nodeName }, 'agent refused');
        refuse(this.#call, err as Error);
      });
    greetings.add(this.#greet);
    this.#greet();
  }

  async #welcome(hello: Hello): Promise<void> {
    const { deps, leading: leader } = this.#parts;
    if (hello.nodeName !== this.#nodeName)
      throw refusal('PERMISSION_DENIED', `this certificate is of node "${this.#nodeName}"`);
    const leading = leader();
    const node = leading && (await registered(deps, leading, hello));
    // Where who leads has changed there is another greeting.
    if (this.#isOver || leader() !== leading) return;
    const { nodePrefix: _, ...cluster } = deps.network;
    const podCidr = node?.spec.podCIDR ?? '';
    const said = { fenceEpoch: leading?.epoch ?? 0, leading: leading !== undefined };
    this.#link ??= this.#newLink();
    this.#link.greet({ ...cluster, podCidr, ...said }, () => leading?.holds() ?? false);
    this.#leading = leading;
  }

  #newLink(): AgentLink {
    const { deps, links, cut, leading } = this.#parts;
    const [nodeName, call] = [this.#nodeName, this.#call];
    links.get(nodeName)?.close();
    const link = agentLink({
      ...{ ...deps, nodeName, call, cut: () => cut(call.getPeer()) },
      refuse: (pod) => leading()?.recordEvent({ ...tooOld, involved: pod }),
    });
    links.set(nodeName, link);
    deps.log.info({ component: 'dispatcher', node: nodeName }, 'agent connected');
    return link;
  }

  #takeReport(link: AgentLink, message: Message): void {
    const [leading, nodeName] = [this.#leading, this.#nodeName];
    const { cache, log, usage } = this.#parts.deps;
    switch (message.$case) {
      case 'hello':
        break;
      case 'heartbeat':
        leading?.leases.beat(nodeName);
        break;
      case 'statuses':
        for (const report of message.value.pods)
          if (leading?.reports.take(nodeName, report) === 'unknown') link.removePod(report.uid);
        break;
      case 'events':
        for (const event of message.value.events) {
          const happening = leading && happeningOf(nodeName, event, cache);
          if (happening) leading.recordEvent(happening);
        }
        break;
      case 'usage':
        usage.report(nodeName, message.value);
        break;
      case 'conditions':
        leading?.leases.setConditions(nodeName, conditionsOf(message.value, log));
        break;
    }
  }
}

const tooOld = {
  type: 'Warning',
  reason: 'FailedCreatePodSandBox',
  component: 'dispatcher',
  message: "the node's agent is older than RuntimeClasses and would run the pod without",
} as const;

async function registered({ cache }: DispatcherDeps, { leases, registry }: Leading, hello: Hello) {
  await leases.renew(hello.nodeName);
  const node = await registry.register(hello);
  await cache.reached(Number(node.metadata.resourceVersion));
  return node;
}

const conditionsOf = ({ conditionJson }: NodeConditions, log: Base['log']) =>
  conditionJson.flatMap((json) => {
    const condition = JSON.parse(json) as Partial<NodeCondition>;
    const { type, status } = condition;
    const isSound = typeof type === 'string' && ['True', 'False', 'Unknown'].includes(status ?? '');
    if (!isSound) log.warn({ component: 'dispatcher', reason: type ?? '' }, 'condition dropped');
    return isSound ? [condition as NodeCondition] : [];
  });
