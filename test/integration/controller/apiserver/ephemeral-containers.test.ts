import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { Pod } from '../../../../api/pod.ts';
import { parseObject } from '../../../../api/prepare.ts';
import { buildApiServer } from '../../../../controller/apiserver/api-server.ts';
import { type ApiWorld, openApiWorld } from '../../../support/api-server.ts';

let world: ApiWorld;
let app: FastifyInstance;
let name = '';
let count = 0;

beforeAll(async () => {
  world = await openApiWorld();
  app = buildApiServer(world.deps).app;
});

afterAll(async () => {
  await app.close();
  await world.close();
});

const web = { name: 'web', image: 'web:1' };
const look = { name: 'look', image: 'busybox:1', targetContainerName: 'web', stdin: true };
const pods = '/api/v1/namespaces/default/pods';

beforeEach(async () => {
  name = `web-${count++}`;
  const parsed = parseObject(Pod, {
    metadata: { name, namespace: 'default' },
    spec: { nodeName: 'n1', containers: [web] },
  });
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  await world.objects.create(Pod, parsed.object);
});

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH';

async function call(method: Method, url: string, body?: object, type = 'application/json') {
  const response = await app.inject({
    ...{ method, url, headers: { 'content-type': type } },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  return { code: response.statusCode, body: response.json() };
}

const main = () => `${pods}/${name}`;
const subresource = () => `${main()}/ephemeralcontainers`;
const read = async () => (await call('GET', subresource())).body;
const withLook = (pod: { spec: object }, ...containers: readonly object[]) => ({
  ...pod,
  spec: { ...pod.spec, ephemeralContainers: containers },
});

it('adds to a pod by a strategic merge patch, as kubectl debug sends it', async () => {
  const spec = {
    $setElementOrder: undefined,
    '$setElementOrder/ephemeralContainers': [{ name: 'look' }],
    ephemeralContainers: [{ ...look, resources: {}, terminationMessagePolicy: 'File' }],
  };
  const type = 'application/strategic-merge-patch+json';
  const answer = await call('PATCH', `${subresource()}`, { spec }, type);
  expect(answer).toMatchObject({
    code: 200,
    body: {
      kind: 'Pod',
      spec: { ephemeralContainers: [{ ...look, imagePullPolicy: 'IfNotPresent' }] },
    },
  });
  const second = { spec: { ephemeralContainers: [{ ...look, name: 'again' }] } };
  await call('PATCH', subresource(), second, type);
  const names = (await read()).spec.ephemeralContainers.map((one: { name: string }) => one.name);
  expect(names.sort()).toEqual(['again', 'look']);
});

it('takes nothing else of a request, whatever is in it', async () => {
  const before = await read();
  const wanted = withLook(before, look);
  const other = { ...wanted, metadata: { ...before.metadata, labels: { a: 'b' } } };
  other.spec = { ...other.spec, containers: [{ ...web, image: 'web:2' }] } as typeof other.spec;
  expect((await call('PUT', subresource(), other)).code).toBe(200);
  const after = await read();
  expect(after.metadata.labels).toBeUndefined();
  expect(after.spec.containers).toEqual(before.spec.containers);
  expect(after.metadata.generation).toBe(2);
  expect(await call('PUT', subresource(), wanted)).toMatchObject({ code: 409 });
});

it('neither changes nor removes what is there', async () => {
  const pod = await read();
  await call('PUT', subresource(), withLook(pod, look));
  const { metadata: _, ...rest } = pod;
  const refused = (verb: string) => ({
    code: 422,
    body: {
      message: `Pod "${name}" is invalid: spec.ephemeralContainers: Forbidden: existing ephemeral containers "look" may not be ${verb}`,
    },
  });
  expect(await call('PUT', subresource(), withLook(rest))).toMatchObject(refused('removed'));
  const other = withLook(rest, { ...look, image: 'busybox:2' });
  expect(await call('PUT', subresource(), other)).toMatchObject(refused('changed'));
});

it('is the only way: not with the pod, not by an update of it, not in a template', async () => {
  const pod = await read();
  const late = withLook({ spec: pod.spec }, look);
  expect(await call('POST', pods, { ...late, metadata: { name: 'new' } })).toMatchObject({
    code: 422,
    body: {
      message: expect.stringContaining('ephemeralContainers: Forbidden: cannot be set on create'),
    },
  });
  expect(await call('PUT', main(), { ...late, metadata: { name } })).toMatchObject({
    code: 422,
    body: { message: expect.stringContaining('spec: Forbidden: pod updates may not change') },
  });
  const template = {
    metadata: { labels: { a: 'b' } },
    spec: { containers: [web], ephemeralContainers: [look] },
  };
  const spec = { selector: { matchLabels: { a: 'b' } }, template };
  const url = '/apis/apps/v1/namespaces/default/deployments';
  expect(await call('POST', url, { metadata: { name: 'd' }, spec })).toMatchObject({
    code: 422,
    body: { message: expect.stringContaining('not allowed in pod template') },
  });
});

it('makes no pod where none is', async () => {
  const apply = {
    apiVersion: 'v1',
    kind: 'Pod',
    spec: { containers: [web], ephemeralContainers: [look] },
  };
  const url = `${pods}/nothing/ephemeralcontainers?fieldManager=me`;
  const type = 'application/apply-patch+yaml';
  expect(await call('PATCH', url, apply, type)).toMatchObject({ code: 404 });
});

it('writes nothing in a dry run', async () => {
  const pod = withLook(await read(), look);
  expect(await call('PUT', `${subresource()}?dryRun=All`, pod)).toMatchObject({
    code: 200,
    body: { spec: { ephemeralContainers: [{ name: 'look' }] } },
  });
  expect((await read()).spec.ephemeralContainers).toBeUndefined();
});
