import type { Base } from '../../base/base.ts';
import type { BlobSink } from './blob-store.ts';
import { isUnreachable } from './image-error.ts';
import type { ImageSource } from './image-source.ts';
import type { Descriptor } from './manifest.ts';
import {
  type BlobState,
  openPeerClient,
  type PeerAnswer,
  type PeerNetwork,
} from './peer-client.ts';

type Transfer = Readonly<{ origin: Pick<ImageSource, 'download'>; sink: BlobSink }>;

type Wanted = Readonly<{ blob: Descriptor; sink: BlobSink }>;

export type Peers = ReturnType<typeof openPeers>;

/**
 * Asks the other nodes for what this one needs. Nodes that need the same blob at the same time agree on one that goes to the
 * registry: each says that it is asking *before* it asks, so that of two at least one hears of the other; who is further waits
 * for nobody, and of those that are only asking, the one whose name comes first. So nobody waits in a circle.
 */
export function openPeers(network: PeerNetwork, base: Base) {
  /** Blobs that this node has found a place for. */
  const fetching = new Set<string>();
  /** The nodes that asked for a blob before. */
  const askers = new Map<string, Set<string>>();
  const client = openPeerClient(network, base);
  const { askAll, fetchBlob, findManifest, renew, close } = client;
  const heardOf = (digest: string): PeerAnswer[] =>
    network
      .others()
      .filter(({ name }) => askers.get(digest)?.has(name))
      .map((peer) => ({ peer, state: 'asking' }));

  const fetchFrom = ({ peer, state }: PeerAnswer, wanted: Wanted, signal: AbortSignal) => {
    const isFetching = () => void fetching.add(wanted.blob.digest);
    if (state !== 'asking') isFetching();
    return fetchBlob({ peer, ...wanted, onBytes: isFetching }, signal);
  };

  /** False: no node has the whole of it. What came stays in the sink. Throws ImageError of the sink. */
  const download = async (blob: Descriptor, sink: BlobSink, signal: AbortSignal) => {
    const { digest } = blob;
    const answers = await askAll(digest, signal);
    const first = choosePeer(network.nodeName, [...answers, ...heardOf(digest)]);
    if (first === undefined) return false;
    if (await fetchFrom(first, { blob, sink }, signal)) return true;
    // Whoever fetches it now may do so from this node.
    const whole = (await askAll(digest, signal)).find(({ state }) => state === 'whole');
    return whole !== undefined && (await fetchFrom(whole, { blob, sink }, signal));
  };

  return {
    ...{ findManifest, renew, close },
    isFetching: (digest: string) => fetching.has(digest),
    /** Another node asks this one for a blob that it is about to fetch. */
    askedBy(name: string, digest: string) {
      askers.set(digest, new Set(askers.get(digest)).add(name));
    },
    /** From another node, or else from its origin. Throws ImageError. */
    async download(blob: Descriptor, { origin, sink }: Transfer, signal: AbortSignal) {
      const { digest } = blob;
      try {
        if (await download(blob, sink, signal)) return;
        fetching.add(digest);
        await origin.download(blob, sink, signal);
      } catch (error) {
        // They may have been too busy to answer.
        if (!isUnreachable(error) || !(await download(blob, sink, signal))) throw error;
      } finally {
        fetching.delete(digest);
        askers.delete(digest);
      }
    },
  };
}

/** From whom to have a blob; undefined: nobody, so from the registry. The first of equals. Pure. */
export function choosePeer(self: string, answers: readonly PeerAnswer[]): PeerAnswer | undefined {
  const inState = (wanted: BlobState) => answers.filter(({ state }) => state === wanted);
  const [before] = inState('asking')
    .filter(({ peer }) => peer.name < self)
    .toSorted((a, b) => (a.peer.name < b.peer.name ? -1 : 1));
  return inState('whole')[0] ?? inState('fetching')[0] ?? before;
}
