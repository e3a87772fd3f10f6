import { createServer, type ListenOptions, type Server as NetServer, type Socket } from 'node:net';
import { Server } from '@grpc/grpc-js';
import { type AgentLinkServer, AgentLinkService } from '../../api/generated/agent.ts';
import { linkChannel } from '../../api/link-channel.ts';
import type { ObjectChange } from '../store/objects.ts';
import type { AgentLink } from './agent-link.ts';
import type { ControlParts, DispatcherDeps, Leadership, Leading } from './control.ts';
import { serveControl } from './control.ts';
import { rowsOfChange } from './network-table.ts';
import { nodeLeases } from './node-leases.ts';
import { nodeRegistry } from './node-registry.ts';
import { nodeOfCall, notANode, refuse } from './peer.ts';
import { podReports } from './pod-reports.ts';
import { RenewableCredentials, type ServerIdentity } from './server-credentials.ts';
import { linkPodAccess, sessions } from './sessions.ts';

export type Dispatcher = ReturnType<typeof openDispatcher>;

/** Serves the agents: reaches into their pods; as the leader's also pushes each its assignment and takes its reports. */
export function openDispatcher(deps: DispatcherDeps) {
  const links = new Map<string, AgentLink>();
  let leading: Leading | undefined;
  const bulk = sessions(deps, links);
  const unsubscribe = deps.cache.onChange((change) => wakeLinks(links.values(), change));
  const cut = (peer: string) => port.cut(peer);
  const greetings = new Set<() => void>();
  const control: ControlParts = { deps, links, cut, greetings, leading: () => leading };
  const setLeading = (next: Leading | undefined) => {
    leading = next;
    for (const greet of greetings) greet();
  };
  const port = grpcPort(deps, {
    control: (call) => serveControl(control, call),
    bulk(call) {
      const nodeName = nodeOfCall(call);
      if (nodeName === undefined) refuse(call, notANode());
      else bulk.accept(nodeName, call);
    },
    renew(call, answer) {
      renew(deps, nodeOfCall(call), call.request.csr).then(
        (response) => answer(null, response),
        (error: unknown) => answer(error as Error),
      );
    },
  });
  return {
    podAccess: linkPodAccess(bulk),
    /** Nodes that have a link here just now. */
    connected: () => links.size,
    /** From now on it assigns and takes reports. Returns how to stop that. Agents hear of both. */
    lead(leadership: Leadership) {
      const { stop, ...begun } = beginLeading(deps, leadership);
      setLeading(begun);
      return () => {
        setLeading(undefined);
        return stop();
      };
    },
    /** { port: 0 }, { fd } (an inherited listener) … Resolves with the port, 0 where there is none. */
    listen: port.listen,
    /** For connections from now on. */
    renewIdentity: port.renewIdentity,
    async stop() {
      unsubscribe();
      for (const link of links.values()) link.close();
      await port.close();
    },
  };
}

function beginLeading(deps: DispatcherDeps, leadership: Leadership) {
  const parts = { ...deps, ...leadership };
  const registry = nodeRegistry({ ...parts, podCidrs: deps.network });
  const leases = nodeLeases({ ...parts, registry });
  const reports = podReports(parts);
  const stop = async () => {
    await leases.stop();
    await reports.stop();
  };
  return { ...leadership, registry, leases, reports, stop };
}

function wakeLinks(links: Iterable<AgentLink>, change: ObjectChange): void {
  const { kind, key, object, previous } = change;
  const rows = rowsOfChange(change);
  for (const link of links) {
    if (rows) link.wakeNetwork(rows);
    // It dials again, and is registered anew.
    if (kind.kind === 'Node' && !object && key.name === link.nodeName) link.close();
    if (kind.kind === 'Pod' && [object, previous].some((pod) => isOn(pod, link.nodeName)))
      link.wakePods();
    else if (link.names(`${kind.kind}/${key.namespace}/${key.name}`)) link.wakePods();
  }
}

const isOn = (pod: ObjectChange['object'], nodeName: string) =>
  (pod?.spec as { readonly nodeName?: string } | undefined)?.nodeName === nodeName;

async function renew(deps: DispatcherDeps, nodeName: string | undefined, csr: string) {
  const { signNode, identity, log } = deps;
  if (nodeName === undefined) throw notANode();
  const certificate = await signNode(csr, nodeName);
  log.info({ component: 'dispatcher', node: nodeName }, 'certificate of a node renewed');
  return { certificate, ca: identity.ca };
}

/** gRPC over listeners of our own making: a port, a path, or a descriptor that was inherited. */
function grpcPort({ identity, log }: DispatcherDeps, service: AgentLinkServer) {
  const server = new Server(linkChannel);
  server.addService(AgentLinkService, service);
  const credentials = new RenewableCredentials(identity);
  const injector = server.createConnectionInjector(credentials);
  const listeners: NetServer[] = [];
  const sockets = new Map<string, Socket>();
  return {
    async listen(options: ListenOptions): Promise<number> {
      const listener = createServer((socket) => {
        const peer = `${socket.remoteAddress}:${socket.remotePort}`;
        sockets.set(peer, socket);
        socket.on('close', () => sockets.delete(peer));
        socket.setNoDelay(true);
        socket.on('error', (err) => log.debug({ err, component: 'dispatcher' }, 'socket failed'));
        injector.injectConnection(socket);
      });
      listeners.push(listener);
      await new Promise<void>((resolve, reject) => {
        listener.once('error', reject);
        listener.listen(options, resolve);
      });
      const address = listener.address();
      return typeof address === 'object' && address ? address.port : 0;
    },
    renewIdentity: (renewed: ServerIdentity) => credentials.renew(renewed),
    /** Ends the connection of this peer (as gRPC names it) at once, even if it doesn't read. */
    cut: (peer: string) => sockets.get(peer)?.destroy(),
    async close() {
      for (const listener of listeners) listener.close();
      injector.destroy();
      server.forceShutdown();
    },
  };
}
