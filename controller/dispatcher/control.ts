import type {
  AgentMessage,
  Hello,
  NodeConditions,
  PodEvent,
  Welcome,
} from '../../api/generated/agent.ts';
import type { Node, NodeCondition } from '../../api/node.ts';
import type { Log } from '../../base/log.ts';
import { happeningOf } from './agent-events.ts';
import { type AgentLink, agentLink, type ControlCall } from './agent-link.ts';
import type { DispatcherDeps } from './dispatcher-deps.ts';
import type { NodeLeases } from './node-leases.ts';
import type { NodeRegistry } from './node-registry.ts';
import { nodeOfCall, refusal, refuse } from './peer.ts';
import type { PodReports } from './pod-reports.ts';

export interface ControlParts {
  readonly deps: DispatcherDeps;
  readonly registry: NodeRegistry;
  readonly leases: NodeLeases;
  readonly reports: PodReports;
  /** The connected agents; kept here. */
  readonly links: Map<string, AgentLink>;
  /** Ends a peer's connection. */
  readonly cut: (peer: string) => void;
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
  let link: AgentLink | undefined;
  let greeted = false;
  let over = false;
  call.on('data', ({ message }: AgentMessage) => {
    if (message?.$case === 'hello' && !greeted) {
      greeted = true;
      welcome(parts, { nodeName, call, hello: message.value, isOver: () => over }).then(
        (opened) => (link = opened),
        (err: unknown) => {
          log.warn({ err, component: 'dispatcher', node: nodeName }, 'agent refused');
          refuse(call, err as Error);
        },
      );
    } else if (message && link) takeOrRefuse(parts, { call, link, message });
  });
  for (const event of ['end', 'close', 'cancelled'] as const)
    call.on(event, () => {
      over = true;
      if (link) disconnect(parts, link);
    });
}

interface Greeting {
  readonly nodeName: string;
  readonly call: ControlCall;
  readonly hello: Hello;
  readonly isOver: () => boolean;
}

/** undefined: the call has ended meanwhile; a newer one may have taken its place. */
async function welcome(parts: ControlParts, greeting: Greeting): Promise<AgentLink | undefined> {
  const { nodeName, call, hello } = greeting;
  const { deps, registry, leases, links } = parts;
  if (hello.nodeName !== nodeName)
    throw refusal('PERMISSION_DENIED', `this certificate is of node "${nodeName}"`);
  await leases.renew(nodeName);
  const node = await registry.register(hello);
  await deps.cache.reached(Number(node.metadata.resourceVersion));
  if (greeting.isOver()) return undefined;
  links.get(nodeName)?.close();
  const link = agentLink({
    ...deps,
    nodeName,
    call,
    welcome: welcomeFor(node, deps),
    cut: () => parts.cut(call.getPeer()),
  });
  links.set(nodeName, link);
  deps.log.info({ component: 'dispatcher', node: nodeName }, 'agent connected');
  return link;
}

const welcomeFor = (node: Node, { network, epoch }: DispatcherDeps): Welcome => ({
  podCidr: node.spec.podCIDR ?? '',
  clusterPodCidr: network.clusterPodCidr,
  serviceCidr: network.serviceCidr,
  dnsServiceIp: network.dnsServiceIp,
  clusterDomain: network.clusterDomain,
  fenceEpoch: epoch,
  leading: true,
});

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
  { call, link, message }: { call: ControlCall; link: AgentLink; message: Message },
): void {
  try {
    takeMessage(parts, link, message);
  } catch (err) {
    parts.deps.log.warn({ err, component: 'dispatcher', node: link.nodeName }, 'message refused');
    refuse(call, refusal('INVALID_ARGUMENT', `malformed message: ${message.$case}`));
  }
}

function takeMessage(parts: ControlParts, link: AgentLink, message: Message): void {
  const { nodeName } = link;
  switch (message.$case) {
    case 'hello':
      break;
    case 'heartbeat':
      parts.leases.beat(nodeName);
      break;
    case 'statuses':
      for (const report of message.value.pods)
        if (parts.reports.take(nodeName, report) === 'unknown') link.removePod(report.uid);
      break;
    case 'events':
      for (const event of message.value.events) takeEvent(parts.deps, nodeName, event);
      break;
    case 'conditions':
      parts.leases.setConditions(nodeName, conditionsOf(message.value, parts.deps.log));
      break;
  }
}

function takeEvent(deps: DispatcherDeps, nodeName: string, event: PodEvent): void {
  const happening = happeningOf(nodeName, event, deps.cache);
  if (happening) deps.recordEvent(happening);
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
