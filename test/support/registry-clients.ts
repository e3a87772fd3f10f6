import { parseReference } from '../../agent/images/reference.ts';
import { registryClient } from '../../agent/images/registry-client.ts';
import {
  openTransport,
  type RegistryNetwork,
  type Transport,
} from '../../agent/images/registry-transport.ts';
import type { RegistryCredential } from '../../agent/ports.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { seededRng } from './seeded-rng.ts';

export interface ClientSetup {
  readonly credentials?: readonly RegistryCredential[];
  readonly network?: Partial<RegistryNetwork>;
  readonly clock?: Partial<Clock>;
}

/** Clients as pulls open them, which wait for nothing. */
export function registryClients() {
  const opened: Transport[] = [];
  const waits: number[] = [];
  /** Waits are over at once, and kept to be looked at. */
  const impatient: Clock = {
    ...systemClock(),
    after(ms, fn) {
      waits.push(ms);
      return systemClock().after(0, fn);
    },
  };
  return {
    waits,
    client(reference: string, { credentials = [], network = {}, clock = {} }: ClientSetup = {}) {
      const limits = { connectTimeoutMs: 500, idleTimeoutMs: 300 };
      const transport = openTransport({
        insecure: [],
        proxySocket: undefined,
        ...limits,
        ...network,
      });
      opened.push(transport);
      return registryClient({
        ...{ reference: parseReference(reference), credentials, transport },
        ...{ clock: { ...impatient, ...clock }, rng: seededRng(1) },
      });
    },
    async close(): Promise<void> {
      waits.length = 0;
      await Promise.all(opened.splice(0).map((transport) => transport.close()));
    },
  };
}
