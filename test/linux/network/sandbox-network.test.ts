import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startJsonChild } from '../../support/json-child.ts';
import {
  makeVirtualHosts,
  type VirtualHost,
  type VirtualHosts,
} from '../../support/virtual-hosts.ts';

/** A pod whose sandbox the C program made, and whose side of the link the C program sets up. */
let cluster: VirtualHosts;
let host: VirtualHost;
let pod: { podIp: string; networkNamespace: string };

beforeAll(async () => {
  cluster = await makeVirtualHosts(2);
  host = cluster.hosts[0]!;
  await cluster.applyEverywhere([]);
  const runDir = join(host.runDir, 'shim');
  mkdirSync(runDir, { mode: 0o700 });
  pod = await host.agent.call('attachSandbox', { uid: 'real', runDir });
});

afterAll(async () => {
  await host?.agent.call('endSandboxes');
  await cluster?.end();
});

function inPod(...command: string[]): string {
  return execFileSync('nsenter', [`--net=${pod.networkNamespace}`, ...command], {
    encoding: 'utf8',
  });
}

it('has one address, and one way out', () => {
  expect(inPod('ip', '-4', '-brief', 'address', 'show', 'eth0')).toMatch(
    /^eth0@\S+ +UP +10.244.0.2\/32/,
  );
  expect(inPod('ip', 'route').replaceAll(/ +$/gm, '')).toBe(
    'default via 169.254.1.1 dev eth0 proto static\n169.254.1.1 dev eth0 proto static scope link\n',
  );
});

it('has no IPv6, which nothing would hold to the rules', () => {
  expect(inPod('ip', '-6', 'address')).toBe('');
  expect(inPod('cat', '/proc/sys/net/ipv6/conf/eth0/disable_ipv6')).toBe('1\n');
});

it('is reached from its host and from another', async () => {
  const script = new URL('../../support/net-peer.ts', import.meta.url).pathname;
  const server = startJsonChild('nsenter', [
    `--net=${pod.networkNamespace}`,
    process.execPath,
    script,
  ]);
  try {
    await server.call('serveTcp', { port: 8080, name: 'real' });
    for (const { peer, address } of cluster.hosts)
      expect(await peer.call('connect', { ip: pod.podIp, port: 8080 })).toEqual({
        name: 'real',
        client: address,
      });
  } finally {
    await server.end();
  }
});
