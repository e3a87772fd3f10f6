import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CoreV1Api, KubeConfig, Watch } from '@kubernetes/client-node';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type CuttableRelay, startRelay } from '../../support/cuttable-relay.ts';
import { freePorts, startEtcd, type TestEtcd } from '../../support/etcd.ts';
import { waitFor } from '../../support/wait-for.ts';

const executable = new URL('../../../orc.ts', import.meta.url).pathname;

let directory: string;
let etcd: TestEtcd;
let relay: CuttableRelay;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'orc-away-'));
  etcd = await startEtcd();
  relay = await startRelay(Number(new URL(etcd.urls[0] ?? '').port));
});
afterEach(async () => {
  await relay.stop();
  await etcd.stop();
  await rm(directory, { recursive: true });
});

/** A controller on the etcd behind the relay. */
async function startController() {
  const [port] = await freePorts(1);
  const child = spawn(
    'setpriv',
    [
      ...['--pdeathsig', 'KILL', '--', process.execPath, executable, 'controller'],
      ...['--data-dir', directory, '--etcd', `http://127.0.0.1:${relay.port}`],
      ...['--api-address', `127.0.0.1:${port}`, '--agent-address', '127.0.0.1:0'],
      ...['--log-level', 'error'],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    void ended.then((code) => reject(new Error(`the controller ended with ${code}`)));
  });
  const config = new KubeConfig();
  config.loadFromFile(join(directory, 'admin.kubeconfig'));
  const stop = () => {
    child.kill('SIGTERM');
    return ended;
  };
  return { config, stop };
}

it('answers 503 within seconds while its etcd is away; what it acknowledged is there, and its watches go on', async () => {
  const { config, stop } = await startController();
  const core = config.makeApiClient(CoreV1Api);
  const namespace = 'default';
  const create = (name: string) =>
    core.createNamespacedConfigMap({ namespace, body: { metadata: { name } } });
  const seen: string[] = [];
  const watching = await new Watch(config).watch(
    `/api/v1/namespaces/${namespace}/configmaps`,
    { resourceVersion: '0' },
    (type, object) => void seen.push(`${type} ${object.metadata.name}`),
    (error) => void seen.push(`ended ${error}`),
  );
  try {
    await create('before');
    await relay.cut();
    const start = performance.now();
    const answers = [create('during'), core.readNamespacedConfigMap({ namespace, name: 'before' })];
    await Promise.all(answers.map((one) => expect(one).rejects.toMatchObject({ code: 503 })));
    expect(performance.now() - start).toBeLessThan(8000);
    await relay.restore();
    const back = performance.now();
    await create('after');
    await waitFor('the watch', () => seen.includes('ADDED after'));
    expect(performance.now() - back).toBeLessThan(2000);
    expect(seen).toEqual(['ADDED before', 'ADDED after']);
    const { items } = await core.listNamespacedConfigMap({ namespace });
    expect(items.map(({ metadata }) => metadata?.name)).toEqual(['after', 'before']);
  } finally {
    watching.abort();
    expect(await stop(), 'it did not exit by itself').toBe(0);
  }
});
