import { readFile } from 'node:fs/promises';
import {
  CoreV1Api,
  type Informer,
  KubeConfig,
  makeInformer,
  type ObjectCache,
  type V1ConfigMap,
} from '@kubernetes/client-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../../api/config-map.ts';
import { type RunningApiServer, serveApi } from '../../../../controller/apiserver/api-server.ts';
import { openApiWorld } from '../../../support/api-server.ts';
import { type CuttableRelay, startRelay } from '../../../support/cuttable-relay.ts';
import { openTlsWorld, type TlsWorld } from '../../../support/tls-world.ts';
import { waitFor } from '../../../support/wait-for.ts';

/** An informer of the official JavaScript client, behind a link that fails: it loses nothing and is told nothing twice. */
const namespace = 'default';
const remembered = 50;
let world: TlsWorld;
let relay: CuttableRelay;
let informer: Informer<V1ConfigMap> & ObjectCache<V1ConfigMap>;
let told: Told;
let again: RunningApiServer | undefined;

beforeEach(async () => {
  world = await openTlsWorld({ rememberedChanges: remembered });
  relay = await startRelay(world.port);
  const config = new KubeConfig();
  const text = await readFile(world.kubeconfig, 'utf8');
  config.loadFromString(text.replace(`:${world.port}`, `:${relay.port}`));
  const core = config.makeApiClient(CoreV1Api);
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  informer = makeInformer(config, path, () => core.listNamespacedConfigMap({ namespace }));
  told = listen(informer);
  await write('before');
  await informer.start();
  await caughtUp();
});

afterEach(async () => {
  await informer.stop();
  await relay.stop();
  await again?.close();
  again = undefined;
  await world.close();
});

interface Told {
  /** "name=value" of each addition and change, "name gone". */
  readonly events: string[];
  /** What no informer may say. */
  readonly faults: string[];
}

function listen(made: Informer<V1ConfigMap>): Told {
  const [events, faults]: [string[], string[]] = [[], []];
  const versions = new Map<string, number>();
  const heard = (what: 'add' | 'update' | 'delete') => (map: V1ConfigMap) => {
    const name = map.metadata?.name ?? '';
    const version = Number(map.metadata?.resourceVersion);
    const known = versions.get(name);
    if ((what === 'add') !== (known === undefined)) faults.push(`${what} of ${name}`);
    if (what !== 'delete' && known !== undefined && version <= known)
      faults.push(`${what} of ${name}: ${version} after ${known}`);
    events.push(what === 'delete' ? `${name} gone` : `${name}=${map.data?.value?.slice(0, 20)}`);
    if (what === 'delete') versions.delete(name);
    else versions.set(name, version);
  };
  for (const what of ['add', 'update', 'delete'] as const) made.on(what, heard(what));
  // As the client's own examples do.
  made.on('error', () => void setTimeout(() => void made.start(), 20));
  return { events, faults };
}

let writes = 0;

async function write(name: string, value = String(++writes)): Promise<void> {
  const key = { namespace, name };
  const data = { value };
  const found = await world.objects.modify(ConfigMap, { key, part: 'main' }, (map) => ({
    ...map,
    data,
  }));
  if (!found)
    await world.objects.create(ConfigMap, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: key,
      data,
    });
}

const remove = (name: string) => world.objects.delete(ConfigMap, { namespace, name });

/** The informer has what the store has. */
async function caughtUp(): Promise<void> {
  await world.cache.reached(await world.store.revision());
  const stored = world.cache
    .list(ConfigMap, namespace)
    .map(({ metadata, data }) => `${metadata.name}=${data?.value}`);
  const wanted = JSON.stringify(stored.sort());
  const has = () => informer.list().map(({ metadata, data }) => `${metadata?.name}=${data?.value}`);
  await waitFor('the informer has it all', () => JSON.stringify(has().sort()) === wanted, 20_000);
}

describe('an informer of client-node', () => {
  it('hears each change once and in order, over broken connections', async () => {
    told.events.length = 0;
    const expected: string[] = [];
    for (let round = 0; round < 5; round++) {
      await relay.cut();
      for (let i = 0; i < 5; i++) {
        await write('counted');
        expected.push(`counted=${writes}`);
      }
      await remove('counted');
      expected.push('counted gone');
      await relay.restore();
      await write('counted');
      expected.push(`counted=${writes}`);
      await caughtUp();
    }
    expect(told).toEqual({ events: expected, faults: [] });
  });

  it('finds its way after a compaction: what went, what came, what changed', async () => {
    await write('goes');
    await write('stays');
    await caughtUp();
    told.events.length = 0;
    await relay.cut();
    await remove('goes');
    await write('comes');
    for (let i = 0; i < 2 * remembered; i++) await write('changes');
    const last = writes;
    await relay.restore();
    await caughtUp();
    expect(told.faults).toEqual([]);
    expect(told.events.toSorted()).toEqual([
      ...[`changes=${last}`, `comes=${last - 2 * remembered}`, 'goes gone'],
    ]);
  });

  it('goes on with a server that was started anew and remembers nothing', async () => {
    told.events.length = 0;
    await world.api.close();
    await write('meanwhile');
    await remove('before');
    const { store, tls, port, deps } = world;
    const second = await openApiWorld({ authenticate: deps.authenticate, store });
    again = await serveApi(second.deps, { tls, listeners: [{ host: '127.0.0.1', port }] });
    await caughtUp();
    await write('later');
    await caughtUp();
    expect(told.faults).toEqual([]);
    expect(told.events).toEqual([...['before gone', `meanwhile=${writes - 1}`, `later=${writes}`]]);
  });

  it('that does not read is let go, and has all of it when it reads again', async () => {
    const large = (n: number) => `${n} ${'x'.repeat(500_000)}`;
    relay.freeze();
    // More than the 16 MiB that a watcher may have unread, and what the kernel takes.
    for (let i = 0; i < 45; i++) await write(`large-${i % 3}`, large(i));
    const watches = () =>
      world.deps.metrics.text().includes('apiserver_longrunning_requests{verb="watch"} 0');
    await waitFor('the server has let go of it', watches, 20_000);
    await relay.restore();
    await caughtUp();
    expect(told.faults).toEqual([]);
    expect(informer.get('large-2', namespace)?.data?.value).toBe(large(44));
    await write('large-0', 'small again');
    await caughtUp();
    expect(told.faults).toEqual([]);
  });
});
