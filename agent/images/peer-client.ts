import type { Agent, Dispatcher } from 'undici';
import type { Base } from '../../base/base.ts';
import { withDeadline } from '../../base/deadline.ts';
import type { BlobSink } from './blob-store.ts';
import { digestOf, isDigest } from './digest.ts';
import { ImageError } from './image-error.ts';
import type { FetchedManifest } from './image-source.ts';
import { type Descriptor, maxManifestBytes } from './manifest.ts';
import { readBounded } from './registry-answer.ts';

/** The nodes of the cluster, as far as they may help one another with images. */
export interface PeerNetwork {
  readonly nodeName: string;
  /** The same on every node. */
  readonly port: number;
  /** All other nodes. */
  readonly others: () => readonly Peer[];
  readonly identity: PeerIdentity;
}

export type Peer = Readonly<{ name: string; address: string }>;

/** PEM each. */
export type PeerIdentity = Readonly<{ key: string; certificate: string; ca: string }>;

/** How far a node is with a blob. */
export type BlobState = 'whole' | 'fetching' | 'asking';

export type PeerAnswer = Readonly<{ peer: Peer; state: BlobState }>;

/** A peer's header that says a {@link BlobState}. */
export const stateHeader = 'x-orc-blob';

type PeerTransfer = Readonly<{ peer: Peer; blob: Descriptor; sink: BlobSink; onBytes: () => void }>;

type Request = Omit<Dispatcher.RequestOptions, 'origin'>;

const answerMs = 5000;
/** A node that didn't answer isn't asked for so long. */
const silenceMs = 10_000;

/** Asks other nodes, each of which must show the certificate of its name. */
export function openPeerClient(network: PeerNetwork, { rng, ...base }: Base) {
  const connections = openConnections(network, base);
  const ask = async (peer: Peer, digest: string, signal: AbortSignal): Promise<PeerAnswer[]> => {
    const request = { method: 'HEAD', path: `/blobs/${digest}` } as const;
    const answer = await connections.reach(peer, request, signal);
    await answer?.body.dump();
    const state = answer?.headers[stateHeader] as BlobState;
    return answer?.statusCode === 200 ? [{ peer, state }] : [];
  };
  /** In an order that is another one each time, so that not everybody asks the same node for the rest. */
  const askAll = async (digest: string, signal: AbortSignal) => {
    const others = network.others();
    const first = Math.floor(rng.fraction() * others.length);
    const order = [...others.slice(first), ...others.slice(0, first)];
    const asks = order.map((peer) => ask(peer, digest, signal));
    const whole = asks.map(async (asked) => {
      const answers = await asked;
      return answers[0]?.state === 'whole' ? answers : Promise.reject();
    });
    // The others needn't be waited for then.
    return Promise.any([...whole, Promise.all(asks).then((answers) => answers.flat())]);
  };
  return {
    ...connections,
    askAll,
    /** False: it didn't come to its end. What came stays in the sink. Throws ImageError of the sink. */
    async fetchBlob({ peer, blob, sink, onBytes }: PeerTransfer, signal: AbortSignal) {
      try {
        const headers = { range: `bytes=${sink.receivedBytes}-` };
        const path = `/blobs/${blob.digest}`;
        const answer = await connections.request(peer, { method: 'GET', path, headers, signal });
        if (answer.statusCode !== 206) return await answer.body.dump().then(() => false);
        for await (const chunk of answer.body) {
          onBytes();
          await sink.write(chunk as Buffer);
        }
        return sink.receivedBytes === blob.size;
      } catch (err) {
        signal.throwIfAborted();
        if (err instanceof ImageError) throw err;
        base.log.info({ err, component: 'images', node: peer.name }, 'a node gave a layer up');
        return false;
      }
    },
    /** By its digest, or the complete name of an image that anybody may have. */
    async findManifest(key: string, signal: AbortSignal): Promise<FetchedManifest | undefined> {
      const path = `/manifests/${encodeURIComponent(key)}`;
      const fetchFrom = async (peer: Peer) => {
        const answer = await connections.reach(peer, { method: 'GET', path }, signal);
        const bytes = answer && (await readBounded(answer, maxManifestBytes));
        const digest = digestOf(bytes ?? Buffer.of());
        const isIt = answer?.statusCode === 200 && (digest === key || !isDigest(key));
        if (!bytes || !isIt) throw new Error(`${peer.name} has no ${key}`);
        return { bytes, digest, mediaType: String(answer.headers['content-type']) };
      };
      return Promise.any(network.others().map(fetchFrom)).catch(() => undefined);
    },
  };
}

function openConnections(network: PeerNetwork, { clock, log }: Omit<Base, 'rng'>) {
  const silentUntilMs = new Map<string, number>();
  const agents = new Map<string, Agent>();
  let { identity } = network;
  const agentTo = async ({ name }: Peer): Promise<Agent> => {
    const { openAgent } = await import('./peer-agent.ts');
    const agent = agents.get(name) ?? openAgent(name, identity);
    agents.set(name, agent);
    return agent;
  };
  const request = async (peer: Peer, options: Request) => {
    const agent = await agentTo(peer);
    return agent.request({ ...options, origin: `https://${peer.address}:${network.port}` });
  };
  const close = async () => {
    const before = [...agents.values()];
    agents.clear();
    await Promise.all(before.map((agent) => agent.destroy()));
  };
  return {
    request,
    /** undefined: no answer, now or a moment ago. */
    async reach(peer: Peer, options: Omit<Request, 'signal'>, parent: AbortSignal) {
      if ((silentUntilMs.get(peer.name) ?? 0) > clock.monotonic()) return undefined;
      const limit = { clock, ms: answerMs, what: `asking node ${peer.name}`, parent };
      try {
        return await withDeadline(limit, (signal) => request(peer, { ...options, signal }));
      } catch (err) {
        parent.throwIfAborted();
        silentUntilMs.set(peer.name, clock.monotonic() + silenceMs);
        log.debug({ err, component: 'images', node: peer.name }, 'a node does not answer');
        return undefined;
      }
    },
    close,
    renew(renewed: PeerIdentity): Promise<void> {
      identity = renewed;
      return close();
    },
  };
}
