import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PriorityClass } from '../../../../api/priority-class.ts';
import { buildApiServer } from '../../../../controller/apiserver/api-server.ts';
import { ensureFirstObjects } from '../../../../controller/controllers/first-objects.ts';
import { anObject } from '../../../support/an-object.ts';
import { type ApiWorld, openApiWorld } from '../../../support/api-server.ts';
import { injector } from '../../../support/inject.ts';

let world: ApiWorld;
let app: FastifyInstance;
let send: ReturnType<typeof injector>;
beforeEach(async () => {
  world = await openApiWorld();
  await ensureFirstObjects(world.objects);
  app = buildApiServer(world.deps).app;
  send = injector(app);
});
afterEach(async () => {
  await app.close();
  await world.close();
});

const classes = '/apis/scheduling.k8s.io/v1/priorityclasses';
async function makeClass(name: string, more: object) {
  const made = await send('POST', classes, { metadata: { name }, ...more });
  if (made.code === 201) await world.cache.reached(Number(made.body.metadata.resourceVersion));
  return made;
}
const pods = '/api/v1/namespaces/default/pods';
const pod = (spec: object, name = 'web') => ({
  metadata: { name },
  spec: { containers: [{ name: 'c', image: 'c:1' }], ...spec },
});
const given = async (spec: object) => {
  const { body } = await send('POST', pods, pod(spec));
  const { priorityClassName, priority, preemptionPolicy } = body.spec ?? {};
  return body.message ?? [priorityClassName, priority, preemptionPolicy];
};

describe('a pod', () => {
  it('has no priority without a class', async () => {
    expect(await given({})).toEqual([undefined, 0, 'PreemptLowerPriority']);
  });

  it('gets what its class says', async () => {
    await makeClass('high', { value: 1000, preemptionPolicy: 'Never' });
    expect(await given({ priorityClassName: 'high' })).toEqual(['high', 1000, 'Never']);
  });

  it('may be of the classes that are there from the start', async () => {
    const name = 'system-node-critical';
    expect(await given({ priorityClassName: name })).toEqual([
      ...[name, 2_000_001_000, 'PreemptLowerPriority'],
    ]);
  });

  it('gets the default class', async () => {
    await makeClass('usual', { value: 7, globalDefault: true });
    expect(await given({})).toEqual(['usual', 7, 'PreemptLowerPriority']);
  });

  const computed = (what: string, value: string | number) =>
    `pods "web" is forbidden: the ${what} must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`;
  it.each([
    [
      { priorityClassName: 'none' },
      'pods "web" is forbidden: no PriorityClass with name none was found',
    ],
    [{ priority: 5 }, computed('integer value of priority (5)', 0)],
    [
      { preemptionPolicy: 'Never' },
      computed('string value of PreemptionPolicy (Never)', 'PreemptLowerPriority'),
    ],
  ])('is refused with %j', async (spec, why) => {
    expect(await given(spec)).toBe(why);
  });

  it('keeps its priority when its manifest, which does not know it, replaces it', async () => {
    await makeClass('high', { value: 1000 });
    const manifest = pod({ priorityClassName: 'high' });
    await send('POST', pods, manifest);
    const { code, body } = await send('PUT', `${pods}/web`, manifest);
    expect([code, body.spec?.priority]).toEqual([200, 1000]);
  });
});

describe('the default PriorityClass', () => {
  it('is one', async () => {
    await makeClass('a', { value: 1, globalDefault: true });
    const second = await makeClass('b', { value: 1, globalDefault: true });
    expect([second.code, second.body.message]).toEqual([
      403,
      'priorityclasses.scheduling.k8s.io "b" is forbidden: PriorityClass a is already marked as default. Only one default can exist',
    ]);
    await send('PATCH', `${classes}/a`, { globalDefault: false });
    await world.cache.reached(await world.deps.currentRevision());
    expect((await makeClass('b', { value: 1, globalDefault: true })).code).toBe(201);
  });

  it('is one also where nobody has seen the other one yet', async () => {
    const stored = (name: string) =>
      anObject(PriorityClass, { metadata: { name }, value: 1, globalDefault: true });
    await world.objects.create(PriorityClass, stored('a'));
    await expect(world.objects.create(PriorityClass, stored('b'))).rejects.toThrow(
      'Only one default can exist',
    );
  });
});
