import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import type { Node } from '../../../../api/node.ts';
import { silentLog } from '../../../../base/log.ts';
import type { AgentLink, ControlCall } from '../../../../controller/dispatcher/agent-link.ts';
import { type ControlParts, serveControl } from '../../../../controller/dispatcher/control.ts';

/** A call whose node is being registered until `registered` is resolved. */
function aCall(links: Map<string, AgentLink>) {
  const registered = Promise.withResolvers<Node>();
  const call = Object.assign(new EventEmitter(), {
    getAuthContext: () => ({
      sslPeerCertificate: { subject: { CN: 'system:node:host1', O: 'system:nodes' } },
    }),
    getPeer: () => 'peer',
    sendMetadata() {},
    write: () => true,
    end() {},
  });
  const leading = {
    epoch: 1,
    holds: () => true,
    registry: { register: () => registered.promise },
    leases: { renew: async () => {} },
  };
  const parts = {
    deps: { log: silentLog, network: {}, cache: emptyCache },
    leading: () => leading,
    links,
    greetings: new Set(),
    cut() {},
  };
  // Only what a greeting needs of them.
  serveControl(parts as object as ControlParts, call as object as ControlCall);
  call.emit('data', { message: { $case: 'hello', value: { nodeName: 'host1' } } });
  const node = { metadata: { name: 'host1', resourceVersion: '1' }, spec: {} } as Node;
  return { call, register: () => registered.resolve(node) };
}

const emptyCache = {
  revision: 1,
  reached: async () => {},
  get: () => undefined,
  list: () => [],
  byIndex: () => [],
};
const turn = () => new Promise((resolve) => setImmediate(resolve));

it('forgets a call that ended while its node was registered, and leaves the newer one alone', async () => {
  const links = new Map<string, AgentLink>();
  const first = aCall(links);
  await turn();
  first.call.emit('cancelled');
  const second = aCall(links);
  second.register();
  await turn();
  const link = links.get('host1');
  expect(link).toBeDefined();
  first.register();
  await turn();
  expect(links.get('host1')).toBe(link);
  second.call.emit('end');
  expect(links.size).toBe(0);
});
