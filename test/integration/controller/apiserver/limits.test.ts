import { connect } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ConfigMap } from '../../../../api/config-map.ts';
import { systemClock } from '../../../../base/clock.ts';
import { buildApiServer } from '../../../../controller/apiserver/api-server.ts';
import type { ApiServerDeps } from '../../../../controller/apiserver/call.ts';
import { type ApiWorld, admin, openApiWorld } from '../../../support/api-server.ts';
import { findKubectls, startKubectl } from '../../../support/kubectl.ts';
import { openTlsWorld } from '../../../support/tls-world.ts';
import { waitFor } from '../../../support/wait-for.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const inFlight = 'apiserver_current_inflight_requests{request_kind="readOnly"}';
const kubectls = findKubectls();

/** A minute is 60 ms. */
const clock = systemClock();
const fastClock = { ...clock, after: (ms: number, fn: () => void) => clock.after(ms / 1000, fn) };

const addMap = ({ objects }: ApiWorld, name: string, data: Readonly<Record<string, string>>) =>
  objects.create(ConfigMap, {
    ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data },
  });

/** Reads that ask the store wait until `release` is called. */
async function slowServer(more: Partial<ApiServerDeps> = {}) {
  const world = await openApiWorld({ requestLimits: { readOnly: 2, mutating: 1 } });
  const gate = Promise.withResolvers<void>();
  const currentRevision = async () => {
    await gate.promise;
    return world.deps.currentRevision();
  };
  const { app } = buildApiServer({ ...world.deps, currentRevision, ...more });
  onTestFinished(async () => {
    gate.resolve();
    await app.close();
    await world.close();
  });
  return { app, world, release: () => gate.resolve() };
}

describe('requests under way', () => {
  it('are limited: who comes too many is told to come again in a second', async () => {
    const { app, world, release } = await slowServer();
    const slow = [app.inject(maps), app.inject(maps)];
    await waitFor('two reads', () => world.deps.metrics.text().includes(`${inFlight} 2\n`));
    const refused = await app.inject(`${maps}/x`);
    expect(refused.json()).toMatchObject({
      ...{ code: 429, reason: 'TooManyRequests', details: { retryAfterSeconds: 1 } },
    });
    expect(refused.headers['retry-after']).toBe('1');
    const payload = { metadata: { name: 'written' } };
    expect(await app.inject({ method: 'POST', url: maps, payload })).toMatchObject({
      statusCode: 201,
    });
    expect((await app.inject('/readyz/ping')).statusCode).toBe(200);
    expect((await app.inject('/apis')).statusCode).toBe(200);
    release();
    expect((await Promise.all(slow)).map(({ statusCode }) => statusCode)).toEqual([200, 200]);
    for (let n = 0; n < 10; n++) expect((await app.inject(maps)).statusCode).toBe(200);
    expect(world.deps.metrics.text()).toContain(`${inFlight} 0\n`);
  });

  it('are not watches, in whichever way these are asked for', async () => {
    const { app, world, release } = await slowServer();
    release();
    const watches = ['1', 'true', 't'].map((word) =>
      app.inject(`${maps}?watch=${word}&resourceVersion=0&timeoutSeconds=1`),
    );
    await waitFor('three watches', () =>
      world.deps.metrics.text().includes('longrunning_requests{verb="watch"} 3\n'),
    );
    expect((await app.inject(maps)).statusCode).toBe(200);
    await Promise.all(watches);
  });

  it('end after a minute, which says so', async () => {
    const { app } = await slowServer({ clock: fastClock });
    const { statusCode, body } = await app.inject(maps);
    expect({ statusCode, ...JSON.parse(body) }).toMatchObject({
      ...{ statusCode: 504, reason: 'Timeout', message: expect.stringContaining('60000 ms') },
    });
  });

  it('hold their place for another minute at most when nobody reads the answer', async () => {
    const { app, world } = await slowServer({ clock: fastClock });
    const megabyte = { text: 'x'.repeat(1_000_000) };
    for (let n = 0; n < 16; n++) await addMap(world, `large-${n}`, megabyte);
    const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
    const { metrics } = world.deps;
    const client = connect(Number(port), '127.0.0.1').pause();
    onTestFinished(() => void client.destroy());
    client.write(`GET ${maps}?resourceVersion=0 HTTP/1.1\r\nHost: x\r\n\r\n`);
    await waitFor('the request', () => metrics.text().includes(`${inFlight} 1\n`));
    await waitFor('its end', () => metrics.text().includes(`${inFlight} 0\n`));
  });

  it.runIf(kubectls.length > 0)('that are refused are sent again by kubectl', async () => {
    let asked = 0;
    const world = await openTlsWorld({
      requestLimits: { mutating: 1, readOnly: 0 },
      authenticate({ url = '' }) {
        if (url.startsWith(maps)) asked++;
        return admin;
      },
    });
    onTestFinished(() => world.close());
    const [newest] = kubectls.toReversed();
    if (!newest) throw new Error('no kubectl');
    const cacheDir = join(world.dir, 'cache');
    const { kubeconfig } = world;
    const getting = startKubectl(newest, ['get', 'cm'], { kubeconfig, cacheDir });
    await waitFor('kubectl to ask again', () => asked > 2, 10_000);
    getting.stop();
    await getting.ended;
    expect(getting.err()).toBe('');
  });
});

describe('a large answer', () => {
  it('is compressed for who takes it', async () => {
    const world = await openApiWorld();
    const { app } = buildApiServer(world.deps);
    onTestFinished(async () => {
      await app.close();
      await world.close();
    });
    const get = async (url: string, encoding: string) => {
      const headers = { 'accept-encoding': encoding };
      const { headers: answered, rawPayload } = await app.inject({ url, headers });
      const isZipped = answered['content-encoding'] === 'gzip';
      return { isZipped, text: (isZipped ? gunzipSync(rawPayload) : rawPayload).toString() };
    };
    expect(await get(maps, 'gzip')).toMatchObject({ isZipped: false });
    const data = { text: 'ä'.repeat(100_000) };
    for (const name of ['a', 'b']) await addMap(world, name, data);
    const whole = await get(maps, 'identity');
    expect(whole.isZipped).toBe(false);
    for (const encoding of ['gzip', 'gzip;q=0.5, br', 'deflate, gzip;q=1.0, *;q=0.5'])
      expect(await get(maps, encoding)).toEqual({ isZipped: true, text: whole.text });
    for (const encoding of ['', 'br', 'gzip;q=0', 'gzip; q=0.0, br'])
      expect(await get(maps, encoding)).toEqual(whole);
    expect(await get(`${maps}/a`, 'gzip')).toMatchObject({ isZipped: false });
    const watched = await get(`${maps}?watch=1&timeoutSeconds=1`, 'gzip');
    expect(watched.isZipped).toBe(false);
  });
});
