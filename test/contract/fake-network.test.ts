import { describe } from 'vitest';
import { fakeNetwork } from './fakes/fake-network.ts';
import { networkPortContract } from './network-port.contract.ts';

describe('fake network', () =>
  networkPortContract(async () => ({
    network: fakeNetwork(),
    sandbox: async (uid) => ({
      uid,
      networkNamespace: `/fake/netns/${uid}`,
      runInside: async () => {},
      hostPorts: [],
    }),
    close: async () => {},
  })));
