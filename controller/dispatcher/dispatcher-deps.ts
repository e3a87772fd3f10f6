import type { Base } from '../../base/base.ts';
import type { Cache } from '../store/cache.ts';
import type { RecordEvent } from '../store/event-recorder.ts';
import type { Objects } from '../store/objects.ts';
import type { UsageBoard } from '../usage-board.ts';
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

interface ClusterNetwork {
  readonly clusterPodCidr: string;
  /** Prefix length of each node's part of it. */
  readonly nodePrefix: number;
  readonly serviceCidr: string;
  readonly dnsServiceIp: string;
  readonly clusterDomain: string;
}
