import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { get } from 'node:https';
import { join } from 'node:path';
import { CoreV1Api, KubeConfig, makeInformer } from '@kubernetes/client-node';
import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { parse } from 'yaml';
import { ConfigMap } from '../../../../api/config-map.ts';
import { Pod } from '../../../../api/pod.ts';
import { aPod } from '../../../support/a-pod.ts';
import { findKubectls, startKubectl } from '../../../support/kubectl.ts';
import { localPodAccess } from '../../../support/local-pod-access.ts';
import { openTlsWorld, type TlsWorld } from '../../../support/tls-world.ts';
import { waitFor } from '../../../support/wait-for.ts';

it('hangs up every exec when it closes, even those that never end by themselves', async () => {
  const world = await openTlsWorld({ podAccess: localPodAccess() });
  await world.objects.create(Pod, aPod());
  const credentials = await credentialsOf(world);
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

it('ends watches as if their time were over, and clients go on with the next server', async () => {
  const world = await openTlsWorld();
  const config = new KubeConfig();
  config.loadFromString(await readFile(world.kubeconfig, 'utf8'));
  const core = config.makeApiClient(CoreV1Api);
  const list = () => core.listNamespacedConfigMap({ namespace: 'default' });
  const informer = makeInformer(config, maps, list);
  const seen: string[] = [];
  for (const verb of ['add', 'update', 'delete'] as const)
    informer.on(verb, ({ metadata }) => seen.push(`${verb} ${metadata?.name}`));
  informer.on('error', () => setTimeout(() => void informer.start(), 50));
  await informer.start();
  await addMap(world, 'before');
  await waitFor('the informer to have it', () => informer.get('before', 'default'));
  const watching = watchRaw(world.port, await credentialsOf(world));
  await watching.begun;

  await world.api.close();
  // A chunk of length zero at its end: nothing was cut.
  expect(await watching.ended).toEqual({ isComplete: true });
  await addMap(world, 'between');
  const next = await world.reopen();
  await addMap(world, 'after');
  await waitFor('the informer to go on', () => informer.get('after', 'default'));
  expect(seen).toEqual(['add before', 'add between', 'add after']);
  await informer.stop();
  await next.close();
  await world.close();
}, 30_000);

const newest = findKubectls().at(-1);

it.runIf(newest)(
  'ends `kubectl get -w` in order, while `kubectl wait` waits on',
  async () => {
    if (!newest) throw new Error('no kubectl');
    const world = await openTlsWorld();
    await addMap(world, 'one');
    const options = { kubeconfig: world.kubeconfig, cacheDir: join(world.dir, 'cache') };
    const getting = startKubectl(newest, ['get', 'cm', '-w'], options);
    await waitFor('the first line', () => getting.out().includes('one'), 10_000);
    const condition = ['cm/one', '--for=jsonpath={.data.a}=1', '--timeout=20s'];
    const waiting = startKubectl(newest, ['wait', ...condition], options);
    const { metrics } = world.deps;
    const watches = 'apiserver_longrunning_requests{verb="watch"} 2\n';
    await waitFor('both watches', () => metrics.text().includes(watches), 10_000);

    await world.api.close();
    expect(await getting.ended).toMatchObject({ code: 0, err: '' });
    const next = await world.reopen();
    const key = { namespace: 'default', name: 'one' };
    await world.objects.modify(ConfigMap, { key, part: 'main' }, (map) => ({
      ...map,
      data: { a: '1' },
    }));
    expect(await waiting.ended).toMatchObject({ code: 0, out: 'configmap/one condition met\n' });
    await next.close();
    await world.close();
  },
  30_000,
);

const maps = '/api/v1/namespaces/default/configmaps';

const addMap = ({ objects }: TlsWorld, name: string) =>
  objects.create(ConfigMap, {
    ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } },
  });

function watchRaw(port: number, credentials: object) {
  const begun = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<{ isComplete: boolean }>();
  const path = `${maps}?watch=1`;
  get({ ...credentials, host: '127.0.0.1', port, path }, (response) => {
    response.once('data', () => begun.resolve());
    response.once('close', () => ended.resolve({ isComplete: response.complete }));
  }).on('error', ended.reject);
  return { begun: begun.promise, ended: ended.promise };
}

async function credentialsOf({ kubeconfig }: TlsWorld) {
  const config = parse(await readFile(kubeconfig, 'utf8'));
  const bytes = (text: string) => Buffer.from(text, 'base64');
  return {
    ca: bytes(config.clusters[0].cluster['certificate-authority-data']),
    cert: bytes(config.users[0].user['client-certificate-data']),
    key: bytes(config.users[0].user['client-key-data']),
  };
}
