import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Pod } from '../../../../api/pod.ts';
import { ResourceQuota } from '../../../../api/resource-quota.ts';
import { buildApiServer } from '../../../../controller/apiserver/api-server.ts';
import { resourceQuotaLoop } from '../../../../controller/controllers/resource-quota.ts';
import { type RunningLoops, runLoops } from '../../../../controller/store/run-loops.ts';
import { type ApiWorld, openApiWorld } from '../../../support/api-server.ts';
import { injector } from '../../../support/inject.ts';
import { waitFor } from '../../../support/wait-for.ts';

let world: ApiWorld;
let app: FastifyInstance;
let loops: RunningLoops;
let send: ReturnType<typeof injector>;
beforeEach(async () => {
  world = await openApiWorld();
  app = buildApiServer(world.deps).app;
  loops = runLoops([resourceQuotaLoop], { ...world.deps, recordEvent: () => {} });
  send = injector(app);
});
afterEach(async () => {
  await loops.stop();
  await app.close();
  await world.close();
});

const here = '/api/v1/namespaces/default';
const stored = (name = 'q') =>
  world.cache.get(ResourceQuota, { namespace: 'default', name })?.status;
/** Once it is enforced. */
async function quota(hard: object, more: object = {}, name = 'q'): Promise<void> {
  const spec = { hard, ...more };
  const { body } = await send('POST', `${here}/resourcequotas`, { metadata: { name }, spec });
  expect(body.message).toBeUndefined();
  await waitFor('the quota', () => stored(name)?.hard !== undefined);
}
const pod = (name: string, spec: object = {}, resources: object = {}) =>
  send('POST', `${here}/pods`, {
    metadata: { name },
    spec: { containers: [{ name: 'c1', image: 'c:1', resources }], ...spec },
  });
const used = (expected: object) =>
  waitFor('the quota', () => JSON.stringify(stored()?.used) === JSON.stringify(expected));
const codes = (answers: readonly { code: number }[]) =>
  Object.fromEntries([...Map.groupBy(answers, ({ code }) => code)].map(([c, a]) => [c, a.length]));

describe('a quota', () => {
  it('lets ten of fifty pods in that are made at once, and the next when one goes', async () => {
    await quota({ pods: '10' });
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => pod(`p${i}`)));
    expect(codes(answers)).toEqual({ 201: 10, 403: 40 });
    expect(answers.find(({ code }) => code === 403)?.body.message).toMatch(
      /^pods "p\d+" is forbidden: exceeded quota: q, requested: pods=1, used: pods=10, limited: /,
    );
    expect(stored()?.used).toEqual({ pods: '10' });
    const name = answers.find(({ code }) => code === 201)?.body.metadata.name;
    await send('DELETE', `${here}/pods/${name}`);
    await used({ pods: '9' });
    expect(codes([await pod('later'), await pod('too-late')])).toEqual({ 201: 1, 403: 1 });
  });

  it('is never exceeded while pods come and go, and counts right in the end', async () => {
    await quota({ pods: '5' });
    const counts: number[] = [];
    const unsubscribe = world.cache.onChange(() => counts.push(world.cache.list(Pod).length));
    const comeAndGo = async (who: number) => {
      for (let i = 0; i < 20; i++) {
        const { code } = await pod(`p-${who}-${i}`);
        if (code === 201) await send('DELETE', `${here}/pods/p-${who}-${i}`);
      }
      return (await pod(`last-${who}`)).code;
    };
    await Promise.all(Array.from({ length: 12 }, (_, who) => comeAndGo(who)));
    unsubscribe();
    expect(Math.max(...counts)).toBe(5);
    await used({ pods: String(world.cache.list(Pod).length) });
  });

  it('counts nothing that is not written', async () => {
    await quota({ pods: '10' });
    await pod('a');
    expect(codes([await pod('a'), await pod('a')])).toEqual({ 409: 2 });
    expect(
      (await world.objects.get(ResourceQuota, { namespace: 'default', name: 'q' }))?.status,
    ).toEqual({ hard: { pods: '10' }, used: { pods: '1' } });
  });

  it('refuses a dry run for which there is no room, and counts none', async () => {
    await quota({ pods: '1' });
    const dry = () =>
      send('POST', `${here}/pods?dryRun=All`, {
        metadata: { name: 'dry' },
        spec: { containers: [{ name: 'c', image: 'c:1' }] },
      });
    expect((await dry()).code).toBe(201);
    await pod('a');
    await used({ pods: '1' });
    expect((await dry()).code).toBe(403);
  });

  it('counts what pods ask for and may have, and wants it said', async () => {
    await quota({ cpu: '2', 'requests.memory': '1Gi', 'limits.cpu': '3', pods: '9' });
    const refused = await pod('silent', {}, { requests: { cpu: '1' } });
    expect(refused.body.message).toBe(
      'pods "silent" is forbidden: failed quota: q: must specify limits.cpu for: c1; requests.memory for: c1',
    );
    const resources = { requests: { cpu: '1500m', memory: '300Mi' }, limits: { cpu: '2' } };
    expect((await pod('a', {}, resources)).code).toBe(201);
    expect((await pod('b', {}, resources)).body.message).toBe(
      'pods "b" is forbidden: exceeded quota: q, requested: cpu=1500m,limits.cpu=2, used: cpu=1500m,limits.cpu=2, limited: cpu=2,limits.cpu=3',
    );
    await used({ cpu: '1500m', 'requests.memory': '300Mi', 'limits.cpu': '2', pods: '1' });
  });

  it('counts no more of a pod that has ended than that it is there', async () => {
    await quota({ pods: '5', 'count/pods': '5', 'requests.cpu': '1' });
    await pod('a', {}, { requests: { cpu: '1' } });
    await send('PATCH', `${here}/pods/a/status`, { status: { phase: 'Succeeded' } });
    await used({ pods: '0', 'count/pods': '1', 'requests.cpu': '0' });
  });

  it('counts other kinds, and a Service again when it takes node ports', async () => {
    await quota({
      ...{
        configmaps: '1',
        'count/deployments.apps': '0',
        services: '5',
        'services.nodeports': '1',
      },
    });
    const configMap = (name: string) => send('POST', `${here}/configmaps`, { metadata: { name } });
    expect(codes([await configMap('a'), await configMap('b')])).toEqual({ 201: 1, 403: 1 });
    const template = {
      metadata: { labels: { app: 'a' } },
      spec: { containers: [{ name: 'c', image: 'c:1' }] },
    };
    const spec = { selector: { matchLabels: { app: 'a' } }, template };
    const deployment = { metadata: { name: 'd' }, spec };
    const url = '/apis/apps/v1/namespaces/default/deployments';
    expect((await send('POST', url, deployment)).body.message).toBe(
      'deployments.apps "d" is forbidden: exceeded quota: q, requested: count/deployments.apps=1, used: count/deployments.apps=0, limited: count/deployments.apps=0',
    );
    const service = (name: string) =>
      send('POST', `${here}/services`, { metadata: { name }, spec: { ports: [{ port: 80 }] } });
    const open = (name: string) =>
      send('PATCH', `${here}/services/${name}`, { spec: { type: 'NodePort' } });
    await service('s1');
    await service('s2');
    expect(codes([await open('s1'), await open('s2')])).toEqual({ 200: 1, 403: 1 });
    await send('PATCH', `${here}/services/s1`, { spec: { type: 'ClusterIP' } });
    await used({
      ...{
        configmaps: '1',
        'count/deployments.apps': '0',
        services: '2',
        'services.nodeports': '0',
      },
    });
    expect(codes([await open('s2')])).toEqual({ 200: 1 });
  });

  it('is about the pods of its scopes', async () => {
    await send('POST', '/apis/scheduling.k8s.io/v1/priorityclasses', {
      ...{ metadata: { name: 'high' }, value: 1 },
    });
    await quota({ pods: '0' }, { scopes: ['BestEffort', 'NotTerminating'] }, 'best');
    await quota({ pods: '0' }, { scopes: ['Terminating'] }, 'none');
    const expression = { scopeName: 'PriorityClass', operator: 'In', values: ['high'] };
    await quota({ pods: '1' }, { scopeSelector: { matchExpressions: [expression] } });
    const some = { requests: { cpu: '1m' } };
    const high = { priorityClassName: 'high' };
    expect((await pod('a')).body.message).toContain('exceeded quota: best');
    const answers = [
      await pod('b', {}, some),
      await pod('c', high, some),
      await pod('d', high, some),
    ];
    expect(codes(answers)).toEqual({ 201: 2, 403: 1 });
    await used({ pods: '1' });
  });

  it('enforces what it is changed to', async () => {
    await quota({ pods: '1' });
    await pod('a');
    await send('PATCH', `${here}/resourcequotas/q`, { spec: { hard: { pods: '2' } } });
    await waitFor('the quota', () => stored()?.hard?.pods === '2');
    expect(codes([await pod('b'), await pod('c')])).toEqual({ 201: 1, 403: 1 });
  });

  it('counts what was there before it', async () => {
    await pod('a');
    await pod('b');
    await quota({ pods: '3' });
    await used({ pods: '2' });
  });

  it('is refused for what nobody would count', async () => {
    const hard = {
      'count/jobs.batch': '1',
      ...{ replicationcontrollers: '1', 'requests.storage': '1Gi', events: '1', pods: '1' },
    };
    const manifest = { metadata: { name: 'q' }, spec: { hard } };
    const { code, body } = await send('POST', `${here}/resourcequotas`, manifest);
    expect(code).toBe(422);
    expect(body.details.causes.map((cause: { field: string }) => cause.field)).toEqual([
      'spec.hard[count/jobs.batch]',
      'spec.hard.replicationcontrollers',
      'spec.hard[requests.storage]',
      'spec.hard.events',
    ]);
    expect(body.details.causes[0].message).toBe('not supported by orc yet');
  });
});
