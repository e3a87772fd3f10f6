import { readFile } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import {
  AppsV1Api,
  CoreV1Api,
  Exec,
  KubeConfig,
  Log,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  type V1ConfigMap,
  type V1Status,
  Watch,
} from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Pod } from '../../../../api/pod.ts';
import { parseObject } from '../../../../api/prepare.ts';
import { type LocalPodAccess, localPodAccess } from '../../../support/local-pod-access.ts';
import { openTlsWorld, type TlsWorld } from '../../../support/tls-world.ts';
import { waitFor } from '../../../support/wait-for.ts';

/** The official JavaScript client: an independent reading of the same API. */
let world: TlsWorld;
let config: KubeConfig;
let core: CoreV1Api;
let pods: LocalPodAccess;

const namespace = 'default';

beforeAll(async () => {
  pods = localPodAccess();
  world = await openTlsWorld({ podAccess: pods });
  config = new KubeConfig();
  config.loadFromString(await readFile(world.kubeconfig, 'utf8'));
  core = config.makeApiClient(CoreV1Api);
  const parsed = parseObject(Pod, {
    metadata: { name: 'web', namespace },
    spec: { nodeName: 'n1', containers: [{ name: 'web', image: 'web:1' }] },
  });
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  await world.objects.create(Pod, parsed.object);
});

afterAll(() => world.close());

const newMap = (name: string, data: Record<string, string> = {}): V1ConfigMap => ({
  metadata: { name },
  data,
});

describe('@kubernetes/client-node', () => {
  it('creates, reads, lists, replaces, deletes', async () => {
    const body = newMap('crud', { a: '1' });
    const created = await core.createNamespacedConfigMap({ namespace, body });
    expect(created.metadata?.uid).toMatch(/-/);
    const read = await core.readNamespacedConfigMap({ namespace, name: 'crud' });
    const replaced = Object.assign(structuredClone(read), { data: { a: '2' } });
    await core.replaceNamespacedConfigMap({ namespace, name: 'crud', body: replaced });
    await expect(
      core.replaceNamespacedConfigMap({ namespace, name: 'crud', body: replaced }),
    ).rejects.toMatchObject({ code: 409 });
    const list = await core.listNamespacedConfigMap({ namespace, limit: 10 });
    expect(list.items.map(({ data }) => data)).toEqual([{ a: '2' }]);
    await core.deleteNamespacedConfigMap({ namespace, name: 'crud' });
    await expect(core.readNamespacedConfigMap({ namespace, name: 'crud' })).rejects.toMatchObject({
      code: 404,
    });
  });

  it('patches: every one of many at the same time counts', async () => {
    await core.createNamespacedConfigMap({ namespace, body: newMap('patched') });
    const patch = (key: string) =>
      core.patchNamespacedConfigMap(
        { namespace, name: 'patched', body: { data: { [key]: 'x' } } },
        setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
      );
    await Promise.all(['a', 'b', 'c', 'd'].map(patch));
    const { data } = await core.readNamespacedConfigMap({ namespace, name: 'patched' });
    expect(data).toEqual({ a: 'x', b: 'x', c: 'x', d: 'x' });
  });

  it('makes a Deployment and scales it', async () => {
    const apps = config.makeApiClient(AppsV1Api);
    const labels = { app: 'web' };
    const body = {
      metadata: { name: 'web' },
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'web:1' }] } },
      },
    };
    await apps.createNamespacedDeployment({ namespace, body });
    const scale = await apps.readNamespacedDeploymentScale({ namespace, name: 'web' });
    const wanted = Object.assign(scale, { spec: { replicas: 3 } });
    await apps.replaceNamespacedDeploymentScale({ namespace, name: 'web', body: wanted });
    const { spec } = await apps.readNamespacedDeployment({ namespace, name: 'web' });
    expect(spec?.replicas).toBe(3);
  });

  it('keeps an informer up to date', async () => {
    const path = `/api/v1/namespaces/${namespace}/configmaps`;
    const informer = makeInformer(config, path, () => core.listNamespacedConfigMap({ namespace }));
    await informer.start();
    await core.createNamespacedConfigMap({ namespace, body: newMap('informed') });
    await waitFor('the informer has it', () => informer.get('informed', namespace));
    await core.deleteNamespacedConfigMap({ namespace, name: 'informed' });
    await waitFor('it is gone', () => informer.get('informed', namespace) === undefined);
    await informer.stop();
  });

  it('watches with bookmarks allowed', async () => {
    const seen: string[] = [];
    const path = `/api/v1/namespaces/${namespace}/configmaps`;
    const query = { allowWatchBookmarks: true, fieldSelector: 'metadata.name=watched' };
    const watching = await new Watch(config).watch(
      path,
      query,
      (type) => seen.push(type),
      () => {},
    );
    await core.createNamespacedConfigMap({ namespace, body: newMap('watched') });
    await core.deleteNamespacedConfigMap({ namespace, name: 'watched' });
    await waitFor('both changes', () => seen.length === 2);
    expect(seen).toEqual(['ADDED', 'DELETED']);
    watching.abort();
  });

  it('reads logs and runs commands with a terminal', async () => {
    const log = new PassThrough();
    await new Log(config).log(namespace, 'web', 'web', log, { tailLines: 1 });
    await waitFor('the log', () => String(log.read() ?? '') === 'line 1\n');
    const out = new PassThrough();
    const input = new PassThrough();
    const status = await new Promise<V1Status>((resolve, reject) => {
      const command = ['sh', '-c', 'read line; echo "got $line"; exit 3'];
      new Exec(config)
        .exec(namespace, 'web', 'web', command, out, null, input, true, resolve)
        .catch(reject);
      input.write('hello\n');
    });
    expect(status).toMatchObject({
      status: 'Failure',
      details: { causes: [{ reason: 'ExitCode', message: '3' }] },
    });
    expect(String(out.read())).toBe('got hello\n');
  });
});
