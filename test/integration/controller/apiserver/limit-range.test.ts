import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildApiServer } from '../../../../controller/apiserver/api-server.ts';
import { type ApiWorld, openApiWorld } from '../../../support/api-server.ts';
import { injector } from '../../../support/inject.ts';

let world: ApiWorld;
let app: FastifyInstance;
let send: ReturnType<typeof injector>;
beforeEach(async () => {
  world = await openApiWorld();
  app = buildApiServer(world.deps).app;
  send = injector(app);
});
afterEach(async () => {
  await app.close();
  await world.close();
});

const here = '/api/v1/namespaces/default';
let made = 0;
async function limit(...limits: readonly object[]): Promise<void> {
  const metadata = { name: `limits-${made++}` };
  const { code, body } = await send('POST', `${here}/limitranges`, { metadata, spec: { limits } });
  expect(code).toBe(201);
  await world.cache.reached(Number(body.metadata.resourceVersion));
}
const pod = (resources: object = {}, more: object = {}) =>
  send('POST', `${here}/pods`, {
    metadata: { name: 'web' },
    spec: { containers: [{ name: 'c', image: 'c:1', resources }], ...more },
  });

describe('a pod in a namespace with a LimitRange', () => {
  it('gets what it does not say, and tells of it', async () => {
    await limit({ type: 'Container', default: { cpu: '1', memory: '1Gi' } });
    const init = [{ name: 'i', image: 'i:1', resources: { limits: { memory: '64Mi' } } }];
    const { body } = await pod({ requests: { cpu: '500m' } }, { initContainers: init });
    expect(body.spec.containers[0].resources).toEqual({
      requests: { cpu: '500m', memory: '1Gi' },
      limits: { cpu: '1', memory: '1Gi' },
    });
    expect(body.spec.initContainers[0].resources).toEqual({
      requests: { cpu: '1', memory: '64Mi' },
      limits: { cpu: '1', memory: '64Mi' },
    });
    expect(body.metadata.annotations).toEqual({
      'kubernetes.io/limit-ranger':
        'LimitRanger plugin set: memory request for container c; cpu, memory limit for container c; cpu request for init container i; cpu limit for init container i',
    });
    expect(body.status.qosClass).toBe('Burstable');
  });

  it('is of the quality of service that the defaults make', async () => {
    await limit({ type: 'Container', default: { cpu: '1', memory: '1Gi' } });
    expect((await pod()).body.status.qosClass).toBe('Guaranteed');
  });

  it('is refused when a default contradicts what it says', async () => {
    await limit({ type: 'Container', default: { cpu: '1' } });
    const { code, body } = await pod({ requests: { cpu: '2' } });
    expect([code, body.details.causes[0].message]).toEqual([
      422,
      'Invalid value: "2": must be less than or equal to cpu limit of 1',
    ]);
  });

  it('hears the first of several LimitRanges for what it lacks, and is held to all', async () => {
    await limit({ type: 'Container', default: { cpu: '1' } });
    await limit({ type: 'Container', default: { cpu: '2', memory: '1Gi' } });
    expect((await pod()).body.spec.containers[0].resources.limits).toEqual({
      ...{ cpu: '1', memory: '1Gi' },
    });
    await limit({ type: 'Pod', max: { cpu: '500m' } });
    expect((await pod()).body.message).toBe(
      'pods "web" is forbidden: maximum cpu usage per Pod is 500m, but limit is 1',
    );
  });

  const two = { containers: ['a', 'b'].map((name) => ({ name, image: 'c:1', resources: {} })) };
  it.each([
    [
      { type: 'Container', min: { cpu: '2' }, defaultRequest: { cpu: '3' } },
      { requests: { cpu: '1' } },
      {},
      'minimum cpu usage per Container is 2, but request is 1',
    ],
    [
      { type: 'Pod', min: { memory: '1Gi' } },
      {},
      {},
      'minimum memory usage per Pod is 1Gi.  No request is specified',
    ],
    [
      { type: 'Container', max: { cpu: '800m' } },
      { limits: { cpu: '1500m' } },
      {},
      'maximum cpu usage per Container is 800m, but limit is 1500m',
    ],
    [
      { type: 'Pod', max: { cpu: '1' } },
      { requests: { cpu: '2' } },
      {},
      'maximum cpu usage per Pod is 1.  No limit is specified',
    ],
    [
      { type: 'Pod', max: { cpu: '1', memory: '1Gi' } },
      { limits: { cpu: '2' } },
      {},
      '[maximum cpu usage per Pod is 1, but limit is 2, maximum memory usage per Pod is 1Gi.  No limit is specified]',
    ],
    [
      { type: 'Container', maxLimitRequestRatio: { cpu: '2' } },
      { requests: { cpu: '1' }, limits: { cpu: '5' } },
      {},
      'cpu max limit to request ratio per Container is 2, but provided ratio is 5.000000',
    ],
    [
      { type: 'Container', maxLimitRequestRatio: { cpu: '2' } },
      {},
      {},
      'cpu max limit to request ratio per Container is 2, but no request is specified or request is 0',
    ],
    [{ type: 'Container', max: { cpu: '1' }, default: { cpu: '1' } }, {}, two, undefined],
    [
      { type: 'Container', maxLimitRequestRatio: { cpu: '2' } },
      { requests: { cpu: '1' }, limits: { cpu: '2' } },
      {},
      undefined,
    ],
  ])('with %j: %j %j', async (item, resources, more, why) => {
    await limit(item);
    const { code, body } = await pod(resources, more);
    expect([code, body.message]).toEqual(
      why === undefined ? [201, undefined] : [403, `pods "web" is forbidden: ${why}`],
    );
  });

  it('adds its containers up, and not those that end before', async () => {
    await limit({ type: 'Pod', max: { cpu: '2' } });
    const asking = (name: string, cpu: string) => ({
      ...{ name, image: 'c:1', resources: { limits: { cpu } } },
    });
    const containers = [asking('a', '1'), asking('b', '1')];
    const fits = await pod({}, { containers, initContainers: [asking('i', '2')] });
    expect(fits.code).toBe(201);
    const over = await pod({}, { containers: [...containers, asking('c', '1m')] });
    expect(over.body.message).toBe(
      'pods "web" is forbidden: maximum cpu usage per Pod is 2, but limit is 2001m',
    );
  });
});
