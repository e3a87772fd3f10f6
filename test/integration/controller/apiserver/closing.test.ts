import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { parse } from 'yaml';
import { Pod } from '../../../../api/pod.ts';
import { aPod } from '../../../support/a-pod.ts';
import { localPodAccess } from '../../../support/local-pod-access.ts';
import { openTlsWorld } from '../../../support/tls-world.ts';

it('hangs up every exec when it closes, even those that never end by themselves', async () => {
  const world = await openTlsWorld({ podAccess: localPodAccess() });
  await world.objects.create(Pod, aPod());
  const config = parse(await readFile(world.kubeconfig, 'utf8'));
  const bytes = (text: string) => Buffer.from(text, 'base64');
  const credentials = {
    ca: bytes(config.clusters[0].cluster['certificate-authority-data']),
    cert: bytes(config.users[0].user['client-certificate-data']),
    key: bytes(config.users[0].user['client-key-data']),
  };
  const path = '/api/v1/namespaces/default/pods/web/exec?command=sleep&command=1000&stdout=true';
  const sockets = Array.from(
    { length: 20 },
    () => new WebSocket(`wss://127.0.0.1:${world.port}${path}`, 'v5.channel.k8s.io', credentials),
  );
  await Promise.all(sockets.map((socket) => once(socket, 'open')));
  const closed = Promise.all(sockets.map((socket) => once(socket, 'close')));
  const startedAt = performance.now();
  await world.close();
  await closed;
  expect(performance.now() - startedAt).toBeLessThan(4000);
}, 30_000);
