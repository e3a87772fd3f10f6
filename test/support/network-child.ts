import { type Network, openNetwork } from '../../agent/network/network.ts';
import type { NetworkTable } from '../../agent/ports.ts';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { systemRng } from '../../base/rng.ts';
import { serveJson } from './json-child.ts';
import { runOpsInNetns } from './run-ops-in-netns.ts';

/** The agent's network and nothing else of it, in the network namespace of a host that the test has made. */
let network: Network | undefined;

function opened(): Network {
  if (!network) throw new Error('not open');
  return network;
}

serveJson({
  open: async ({ runDir }: { runDir: string }) => {
    network = await openNetwork({
      runDir,
      clock: systemClock(),
      rng: systemRng(),
      log: silentLog,
    });
  },
  apply: (table: NetworkTable) => opened().apply(table),
  attach: ({ uid, networkNamespace }: { uid: string; networkNamespace: string }) =>
    opened().attach({
      uid,
      networkNamespace,
      runInside: (ops) => runOpsInNetns(networkNamespace, ops),
    }),
  detach: ({ uid }: { uid: string }) => opened().detach(uid),
  find: ({ uid }: { uid: string }) => opened().find(uid),
  list: () => opened().list(),
  close: () => opened().close(),
});
