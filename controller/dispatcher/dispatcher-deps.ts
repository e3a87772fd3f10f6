import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Rng } from '../../base/rng.ts';
import type { Cache } from '../store/cache.ts';
import type { RecordEvent } from '../store/event-recorder.ts';
import type { Objects } from '../store/objects.ts';
import type { ServerIdentity } from './server-credentials.ts';

export interface DispatcherDeps {
  readonly objects: Objects;
  readonly cache: Cache;
  readonly identity: ServerIdentity;
  /** Of {@link takeFence}. */
  readonly epoch: number;
  readonly network: ClusterNetwork;
  /** A certificate for this node and the request's key: CertificateAuthority.signNode. */
  readonly signNode: (csr: string, nodeName: string) => Promise<string>;
  readonly recordEvent: RecordEvent;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Log;
}

interface ClusterNetwork {
  readonly clusterPodCidr: string;
  /** Prefix length of each node's part of it. */
  readonly nodePrefix: number;
  readonly serviceCidr: string;
  readonly dnsServiceIp: string;
  readonly clusterDomain: string;
}
