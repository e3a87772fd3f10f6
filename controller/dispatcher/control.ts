import { Metadata } from '@grpc/grpc-js';
import type { AgentMessage, Hello, NodeConditions, Welcome } from '../../api/generated/agent.ts';
import type { Node, NodeCondition } from '../../api/node.ts';
import type { Log } from '../../base/log.ts';
import { happeningOf } from './agent-events.ts';
import { type AgentLink, agentLink, type ControlCall } from './agent-link.ts';
import type { DispatcherDeps, Leadership } from './dispatcher-deps.ts';
import type { NodeLeases } from './node-leases.ts';
import type { NodeRegistry } from './node-registry.ts';
import { nodeOfCall, refusal, refuse } from './peer.ts';
import type { PodReports } from './pod-reports.ts';

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
    refuse(call, refusal('PERMISSION_DENIED', 'this is not the certificate of a node'));
    return;
  }
  // It has been picked up: the agent need not dial again, however long the welcome takes.
  call.sendMetadata(new Metadata());
  let welcomed: Welcomed | undefined;
  let over = false;
  const greetAs = (hello: Hello) => () => {
    const { link } = welcomed ?? {};
    welcome(parts, { nodeName, call, hello, link, isOver: () => over }).then(
      (next) => (welcomed = next ?? welcomed),
      (err: unknown) => {
        log.warn({ err, component: 'dispatcher', node: nodeName }, 'agent refused');
        refuse(call, err as Error);
      },
    );
  };
  let greet: (() => void) | undefined;
  call.on('data', ({ message }: AgentMessage) => {
    if (message?.$case === 'hello' && !greet) {
      greet = greetAs(message.value);
      parts.greetings.add(greet);
      greet();
    } else if (message && welcomed) takeOrRefuse(parts, { ...welcomed, call, message });
  });
  for (const event of ['end', 'close', 'cancelled'] as const)
    call.on(event, () => {
      over = true;
      if (greet) parts.greetings.delete(greet);
      if (welcomed) disconnect(parts, welcomed.link);
    });
}

interface Greeting {
  readonly nodeName: string;
  readonly call: ControlCall;
  readonly hello: Hello;
  /** It has been greeted before. */
  readonly link: AgentLink | undefined;
  readonly isOver: () => boolean;
}

interface Welcomed {
  readonly link: AgentLink;
  /** Its reports go there, if anywhere. */
  readonly leading: Leading | undefined;
}

/** undefined: the call has ended meanwhile, or who leads has changed: then there is another greeting. */
async function welcome(parts: ControlParts, greeting: Greeting): Promise<Welcomed | undefined> {
  const { nodeName, hello } = greeting;
  const { deps } = parts;
  if (hello.nodeName !== nodeName)
    throw refusal('PERMISSION_DENIED', `this certificate is of node "${nodeName}"`);
  const leading = parts.leading();
  const node = leading && (await registered(deps, leading, hello));
  if (greeting.isOver() || parts.leading() !== leading) return undefined;
  const link = greeting.link ?? newLink(parts, greeting);
  link.greet(welcomeFor(deps, node, leading), () => leading?.holds() ?? false);
  return { link, leading };
}

const tooOld = {
  type: 'Warning',
  reason: 'FailedCreatePodSandBox',
  component: 'dispatcher',
  message: "the node's agent is older than RuntimeClasses and would run the pod without",
} as const;

function newLink(parts: ControlParts, { nodeName, call }: Greeting): AgentLink {
  const { deps, links, cut } = parts;
  links.get(nodeName)?.close();
  const link = agentLink({
    ...{ ...deps, nodeName, call, cut: () => cut(call.getPeer()) },
    refuse: (pod) => parts.leading()?.recordEvent({ ...tooOld, involved: pod }),
  });
  links.set(nodeName, link);
  deps.log.info({ component: 'dispatcher', node: nodeName }, 'agent connected');
  return link;
}

async function registered(
  { cache }: DispatcherDeps,
  { leases, registry }: Leading,
  hello: Hello,
): Promise<Node> {
  await leases.renew(hello.nodeName);
  const node = await registry.register(hello);
  await cache.reached(Number(node.metadata.resourceVersion));
  return node;
}

function welcomeFor(
  { network }: DispatcherDeps,
  node: Node | undefined,
  leading: Leading | undefined,
): Welcome {
  const { nodePrefix: _, ...cluster } = network;
  const podCidr = node?.spec.podCIDR ?? '';
  return { ...cluster, podCidr, fenceEpoch: leading?.epoch ?? 0, leading: leading !== undefined };
}

function disconnect({ links, deps }: ControlParts, link: AgentLink): void {
  link.close();
  if (links.get(link.nodeName) !== link) return;
  links.delete(link.nodeName);
  deps.log.info({ component: 'dispatcher', node: link.nodeName }, 'agent disconnected');
}

type Message = NonNullable<AgentMessage['message']>;

/** What a node sends is never believed to make sense: nonsense costs it its link, and nobody else anything. */
function takeOrRefuse(
  parts: ControlParts,
  { call, message, ...from }: Welcomed & { call: ControlCall; message: Message },
): void {
  const { link } = from;
  try {
    takeMessage(parts.deps, from, message);
  } catch (err) {
    parts.deps.log.warn({ err, component: 'dispatcher', node: link.nodeName }, 'message refused');
    refuse(call, refusal('INVALID_ARGUMENT', `malformed message: ${message.$case}`));
  }
}

function takeMessage(
  { cache, log, usage }: DispatcherDeps,
  { link, leading }: Welcomed,
  message: Message,
): void {
  const { nodeName } = link;
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

function conditionsOf({ conditionJson }: NodeConditions, log: Log): readonly NodeCondition[] {
  return conditionJson.flatMap((json) => {
    const condition = JSON.parse(json) as Partial<NodeCondition>;
    const { type, status } = condition;
    const isSound = typeof type === 'string' && ['True', 'False', 'Unknown'].includes(status ?? '');
    if (!isSound) log.warn({ component: 'dispatcher', reason: type ?? '' }, 'condition dropped');
    return isSound ? [condition as NodeCondition] : [];
  });
}
