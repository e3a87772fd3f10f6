import { once } from 'node:events';
import { request } from 'node:https';
import { expect, it, onTestFinished } from 'vitest';
import { Pod } from '../../../../api/pod.ts';
import { anObject } from '../../../support/an-object.ts';
import { admin, noPodAccess } from '../../../support/api-server.ts';
import { openTlsWorld } from '../../../support/tls-world.ts';

it('asks a node no longer for a log when the client has gone before there was any', async () => {
  const asked = Promise.withResolvers<AbortSignal>();
  const logs = (_pod: unknown, _options: unknown, signal: AbortSignal) => {
    asked.resolve(signal);
    return new Promise<never>(() => {});
  };
  const world = await openTlsWorld({
    ...{ podAccess: { ...noPodAccess, logs }, authenticate: () => admin },
  });
  onTestFinished(world.close);
  const spec = { nodeName: 'n1', containers: [{ name: 'web', image: 'web:1' }] };
  const pod = anObject(Pod, { metadata: { name: 'web', namespace: 'default' }, spec });
  const { metadata } = await world.objects.create(Pod, pod);
  await world.cache.reached(Number(metadata.resourceVersion));
  const path = '/api/v1/namespaces/default/pods/web/log';
  const options = { host: '127.0.0.1', port: world.port, path, rejectUnauthorized: false };
  const client = request(options).on('error', () => {});
  client.end();
  const signal = await asked.promise;
  client.destroy();
  if (!signal.aborted) await once(signal, 'abort');
  expect(signal.aborted).toBe(true);
});
