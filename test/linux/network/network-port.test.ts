import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import type { NetworkPort, PodNetwork } from '../../../agent/ports.ts';
import { type NetworkSubject, networkPortContract } from '../../contract/network-port.contract.ts';
import type { JsonChild } from '../../support/json-child.ts';
import { makeNetns, type Netns } from '../../support/netns.ts';

describe('the network of a node', () => networkPortContract(openSubject));

async function openSubject(): Promise<NetworkSubject> {
  const host = await makeNetns();
  const runDir = await mkdtemp(join(tmpdir(), 'orc-network-'));
  const agent = host.start('network-child.ts');
  await agent.call('open', { runDir });
  const sandboxes: Netns[] = [];
  return {
    network: networkOf(agent),
    async sandbox(uid) {
      const netns = await makeNetns();
      sandboxes.push(netns);
      return { uid, networkNamespace: netns.path, runInside: async () => {}, hostPorts: [] };
    },
    async close() {
      await agent.end();
      for (const netns of [...sandboxes, host]) await netns.end();
      await rm(runDir, { recursive: true });
    },
  };
}

/** The port at the other end of the child's pipes; there, the pod's side is set up with iproute2. */
function networkOf(agent: JsonChild): NetworkPort {
  return {
    attach: ({ uid, networkNamespace, hostPorts }) =>
      agent.call('attach', { uid, networkNamespace, hostPorts }),
    detach: async (uid) => void (await agent.call('detach', { uid })),
    find: async (uid) => (await agent.call<PodNetwork | null>('find', { uid })) ?? undefined,
    list: () => agent.call('list'),
    apply: async (table) => void (await agent.call('apply', table)),
  };
}
