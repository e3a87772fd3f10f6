import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { buildApiServer } from '../../../../controller/apiserver/api-server.ts';
import { type ApiWorld, openApiWorld } from '../../../support/api-server.ts';

/** The examples of kubernetes.io's pages on patches and on server-side apply, in our words: what they send and what comes of it. */
let world: ApiWorld;
let app: FastifyInstance;

beforeAll(async () => {
  world = await openApiWorld();
  app = buildApiServer(world.deps).app;
});
afterAll(async () => {
  await app.close();
  await world.close();
});

const deployments = '/apis/apps/v1/namespaces/default/deployments';
const maps = '/api/v1/namespaces/default/configmaps';

type Method = 'POST' | 'PUT' | 'PATCH' | 'GET';
async function send(method: Method, url: string, yaml = '', type = 'application/yaml') {
  const payload = type.endsWith('+json') ? JSON.stringify(parse(yaml)) : yaml;
  const { statusCode, body } = await app.inject({
    ...{ method, url, headers: { 'content-type': type } },
    ...(yaml !== '' && { payload }),
  });
  return { code: statusCode, body: JSON.parse(body) };
}

const create = (collection: string, yaml: string) => send('POST', collection, yaml);
const strategic = (url: string, yaml: string) =>
  send('PATCH', url, yaml, 'application/strategic-merge-patch+json');
const merge = (url: string, yaml: string) =>
  send('PATCH', url, yaml, 'application/merge-patch+json');
const apply = (url: string, manager: string, yaml: string, more = '') =>
  send('PATCH', `${url}?fieldManager=${manager}${more}`, yaml, 'application/apply-patch+yaml');

describe('tasks/manage-kubernetes-objects/update-api-object-kubectl-patch', () => {
  const demo = `${deployments}/patch-demo`;
  const podSpec = async () => (await send('GET', demo)).body.spec.template.spec;

  it('strategic merge: a container is put to the others, in front of those that are only there', async () => {
    const created = await create(
      deployments,
      `{metadata: {name: patch-demo}, spec: {replicas: 2, selector: {matchLabels: {app: nginx}}, template:
        {metadata: {labels: {app: nginx}}, spec: {
        containers: [{name: patch-demo-ctr, image: nginx}],
        tolerations: [{effect: NoSchedule, key: dedicated, value: test-team}]}}}}`,
    );
    expect(created.code).toBe(201);
    const patch =
      'spec: {template: {spec: {containers: [{name: patch-demo-ctr-2, image: redis}]}}}';
    expect(await strategic(demo, patch)).toMatchObject({ code: 200 });
    expect((await podSpec()).containers).toMatchObject([
      { image: 'redis', imagePullPolicy: 'Always', name: 'patch-demo-ctr-2' },
      { image: 'nginx', imagePullPolicy: 'Always', name: 'patch-demo-ctr' },
    ]);
  });

  it('strategic merge: tolerations have no merge key and are replaced', async () => {
    const wanted = 'tolerations: [{effect: NoSchedule, key: disktype, value: ssd}]';
    await strategic(demo, `spec: {template: {spec: {${wanted}}}}`);
    expect((await podSpec()).tolerations).toEqual([
      { effect: 'NoSchedule', key: 'disktype', value: 'ssd' },
    ]);
  });

  it('JSON merge: every list is replaced', async () => {
    const container = '{name: patch-demo-ctr-3, image: gcr.io/google-samples/hello-app:2.0}';
    await merge(demo, `spec: {template: {spec: {containers: [${container}]}}}`);
    expect((await podSpec()).containers).toMatchObject([
      { image: 'gcr.io/google-samples/hello-app:2.0', name: 'patch-demo-ctr-3' },
    ]);
  });

  it('$retainKeys: the other strategy leaves nothing of the one before', async () => {
    await create(
      deployments,
      `{metadata: {name: retainkeys-demo}, spec: {selector: {matchLabels: {app: nginx}},
        strategy: {rollingUpdate: {maxSurge: 30%}}, template: {metadata: {labels: {app: nginx}},
        spec: {containers: [{name: retainkeys-demo-ctr, image: nginx}]}}}}`,
    );
    const retain = `${deployments}/retainkeys-demo`;
    expect(await strategic(retain, 'spec: {strategy: {type: Recreate}}')).toMatchObject({
      code: 422,
      body: {
        message:
          'Deployment.apps "retainkeys-demo" is invalid: spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is \'Recreate\'',
      },
    });
    const patch = 'spec: {strategy: {$retainKeys: [type], type: Recreate}}';
    const { body } = await strategic(retain, patch);
    expect(body.spec.strategy).toEqual({ type: 'Recreate' });
  });

  it('the scale is patched by itself', async () => {
    const scaled = await merge(`${deployments}/retainkeys-demo/scale`, 'spec: {replicas: 2}');
    expect(scaled).toMatchObject({
      code: 200,
      body: { kind: 'Scale', apiVersion: 'autoscaling/v1', spec: { replicas: 2 } },
    });
    const { body } = await send('GET', `${deployments}/retainkeys-demo`);
    expect(body.spec.replicas).toBe(2);
  });
});

describe('sig-api-machinery/strategic-merge-patch', () => {
  const make = async (name: string, spec: string) => {
    const template = `template: {metadata: {labels: {a: b}}, spec: ${spec}}`;
    const yaml = `{metadata: {name: ${name}}, spec: {selector: {matchLabels: {a: b}}, ${template}}}`;
    expect(await create(deployments, yaml)).toMatchObject({ code: 201 });
    return async (patch: string) => {
      const url = `${deployments}/${name}`;
      const { code, body } = await strategic(url, `spec: {template: {spec: ${patch}}}`);
      return code === 200 ? body.spec.template.spec : body;
    };
  };
  const names = (list: readonly { name: string }[]) => list.map(({ name }) => name);

  it('$patch: replace, of a list and of a map', async () => {
    const two = '[{name: a, image: x}, {name: b, image: x}]';
    const patch = await make('replaced', `{containers: ${two}, nodeSelector: {a: b, c: d}}`);
    const list = await patch('{containers: [{name: c, image: x}, {$patch: replace}]}');
    expect(names(list.containers)).toEqual(['c']);
    const map = await patch('{nodeSelector: {$patch: replace, e: f}}');
    expect(map.nodeSelector).toEqual({ e: 'f' });
  });

  it('$patch: delete, of an entry and of a map', async () => {
    const two = '[{name: a, image: x}, {name: b, image: x}]';
    const patch = await make('deleted', `{containers: ${two}, securityContext: {runAsUser: 1}}`);
    const list = await patch('{containers: [{name: a, $patch: delete}]}');
    expect(names(list.containers)).toEqual(['b']);
    const map = await patch('{securityContext: {$patch: delete}}');
    expect(map.securityContext).toEqual({});
  });

  it('$setElementOrder: what the client names is in its order, what is only there keeps its place', async () => {
    const four =
      '[{name: a, image: x}, {name: live, image: x}, {name: b, image: x}, {name: c, image: x}]';
    const patch = await make('ordered', `{containers: ${four}}`);
    const spec = await patch(
      '{$setElementOrder/containers: [{name: c}, {name: b}, {name: new}, {name: a}], containers: [{name: new, image: x}]}',
    );
    expect(names(spec.containers)).toEqual(['live', 'c', 'b', 'new', 'a']);
  });

  it('$deleteFromPrimitiveList, with an order', async () => {
    await create(maps, 'metadata: {name: held, finalizers: [x/a, x/b, x/c]}');
    const { body } = await strategic(
      `${maps}/held`,
      'metadata: {$deleteFromPrimitiveList/finalizers: [x/b], $setElementOrder/finalizers: [x/d, x/c, x/a], finalizers: [x/d]}',
    );
    expect(body.metadata.finalizers).toEqual(['x/d', 'x/c', 'x/a']);
  });

  it('$retainKeys: a volume becomes one of another kind', async () => {
    const volumes = 'volumes: [{name: v, emptyDir: {}}]';
    const patch = await make('volumes', `{containers: [{name: a, image: x}], ${volumes}}`);
    const other = '{name: v, $retainKeys: [name, configMap], configMap: {name: m}}';
    const spec = await patch(`{volumes: [${other}]}`);
    expect(spec.volumes).toEqual([{ name: 'v', configMap: { name: 'm', defaultMode: 420 } }]);
  });

  it('null takes a field away, deep down too', async () => {
    const patch = await make('nulls', '{containers: [{name: a, image: x, workingDir: /}]}');
    const spec = await patch('{containers: [{name: a, workingDir: null}]}');
    expect(spec.containers[0]).not.toHaveProperty('workingDir');
  });
});

describe('reference/using-api/server-side-apply', () => {
  const url = `${maps}/test-cm`;
  const testMap = (value: string, key = 'key') =>
    `{apiVersion: v1, kind: ConfigMap, metadata: {name: test-cm, labels: {test-label: test}}, data: {${key}: ${value}}}`;
  const managers = (body: { metadata: { managedFields?: { manager: string }[] } }) =>
    body.metadata.managedFields?.map(({ manager }) => manager);

  it('writes down who manages which field', async () => {
    const { code, body } = await apply(url, 'kubectl', testMap('some value'));
    expect(code).toBe(201);
    expect(body.metadata.managedFields).toEqual([
      {
        ...{ manager: 'kubectl', operation: 'Apply', apiVersion: 'v1', fieldsType: 'FieldsV1' },
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        fieldsV1: {
          'f:metadata': { 'f:labels': { 'f:test-label': {} } },
          'f:data': { 'f:key': {} },
        },
      },
    ]);
  });

  it('has a conflict where another manager wants another value', async () => {
    expect(await apply(url, 'other', testMap('new value'))).toMatchObject({
      code: 409,
      body: {
        reason: 'Conflict',
        message: 'Apply failed with 1 conflict: conflict with "kubectl": .data.key',
        details: {
          causes: [
            {
              reason: 'FieldManagerConflict',
              message: 'conflict with "kubectl"',
              field: '.data.key',
            },
          ],
        },
      },
    });
  });

  it('1st way out: overwrite the value, become the only manager', async () => {
    const { body } = await apply(url, 'other', testMap('new value'), '&force=true');
    expect(body.data).toEqual({ key: 'new value' });
    const fields = body.metadata.managedFields.find(
      (m: { manager: string }) => m.manager === 'kubectl',
    );
    expect(fields.fieldsV1).toEqual({ 'f:metadata': { 'f:labels': { 'f:test-label': {} } } });
  });

  it('2nd way out: give up the field and leave the value', async () => {
    const { code, body } = await apply(url, 'kubectl', '{metadata: {labels: {test-label: test}}}');
    expect([code, body.data]).toEqual([200, { key: 'new value' }]);
  });

  it('3rd way out: take the value as it is and share the field', async () => {
    const { code, body } = await apply(url, 'kubectl', testMap('new value'));
    expect([code, managers(body)?.toSorted()]).toEqual([200, ['kubectl', 'other']]);
    const after = await apply(url, 'other', '{metadata: {labels: {test-label: test}}}');
    expect(after.body.data).toEqual({ key: 'new value' });
    const last = await apply(url, 'kubectl', '{metadata: {labels: {test-label: test}}}');
    expect(last.body.data ?? {}).toEqual({});
  });

  it('hands replicas over to an autoscaler: who applies them for it lets the user drop them', async () => {
    const nginx = `${deployments}/nginx-deployment`;
    const manifest = (replicas: string) =>
      `{apiVersion: apps/v1, kind: Deployment, metadata: {name: nginx-deployment, labels: {app: nginx}}, spec: {${replicas}
        selector: {matchLabels: {app: nginx}}, template: {metadata: {labels: {app: nginx}},
        spec: {containers: [{name: nginx, image: nginx:1.14.2}]}}}}`;
    expect((await apply(nginx, 'kubectl', manifest('replicas: 3,'))).code).toBe(201);
    const only =
      '{apiVersion: apps/v1, kind: Deployment, metadata: {name: nginx-deployment}, spec: {replicas: 3}}';
    expect((await apply(nginx, 'handover-to-hpa', only)).code).toBe(200);
    const dropped = await apply(nginx, 'kubectl', manifest(''));
    expect([dropped.code, dropped.body.spec.replicas]).toEqual([200, 3]);
    await send(
      'PUT',
      `${nginx}/scale`,
      '{metadata: {name: nginx-deployment}, spec: {replicas: 5}}',
    );
    const again = await apply(nginx, 'kubectl', manifest(''));
    expect([again.code, again.body.spec.replicas]).toEqual([200, 5]);
  });

  it('without the hand-over, dropping replicas resets them to their default', async () => {
    const base = 'apiVersion: apps/v1, kind: Deployment, metadata: {name: reset}';
    const rest =
      'selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: x}]}}';
    await apply(`${deployments}/reset`, 'me', `{${base}, spec: {replicas: 3, ${rest}}}`);
    const { body } = await apply(`${deployments}/reset`, 'me', `{${base}, spec: {${rest}}}`);
    expect(body.spec.replicas).toBe(1);
  });

  it('every other write takes what it changes, as a dry run too; the same value is shared', async () => {
    const target = `${maps}/taken`;
    const of = (value: string) => `{metadata: {name: taken}, data: {a: "${value}", b: "1"}}`;
    await apply(target, 'alice', of('1'));
    const owners = async (name: string) => {
      const { metadata } = (await send('GET', target)).body;
      const has = ({ fieldsV1 }: { fieldsV1: Record<string, object> }) =>
        Object.hasOwn(fieldsV1['f:data'] ?? {}, `f:${name}`);
      return metadata.managedFields.filter(has).map((m: { manager: string }) => m.manager);
    };
    const tried = await merge(`${target}?fieldManager=bob&dryRun=All`, 'data: {a: "2"}');
    expect(managers(tried.body)).toEqual(['alice', 'bob']);
    expect(await owners('a')).toEqual(['alice']);
    await send('PUT', `${target}?fieldManager=bob`, of('2'));
    expect([await owners('a'), await owners('b')]).toEqual([['bob'], ['alice']]);
    expect(await apply(target, 'alice', of('1'))).toMatchObject({
      code: 409,
      body: { message: 'Apply failed with 1 conflict: conflict with "bob" using v1: .data.a' },
    });
    expect(await apply(target, 'alice', of('2'))).toMatchObject({ code: 200 });
    expect(await owners('a')).toEqual(['alice', 'bob']);
    await merge(`${target}?fieldManager=carol`, 'data: {a: null}');
    expect(await owners('a')).toEqual([]);
  });

  it('a status is applied by itself', async () => {
    const pods = '/api/v1/namespaces/default/pods/reported';
    const spec = 'spec: {containers: [{name: web, image: x}]}';
    await apply(pods, 'alice', `{apiVersion: v1, kind: Pod, metadata: {name: reported}, ${spec}}`);
    const report = (by: string, message: string) =>
      apply(`${pods}/status`, by, `{metadata: {name: reported}, status: {message: ${message}}}`);
    const { body } = await report('bob', 'x');
    expect(body.metadata.managedFields).toMatchObject([
      { manager: 'alice', operation: 'Apply' },
      { manager: 'bob', subresource: 'status', fieldsV1: { 'f:status': { 'f:message': {} } } },
    ]);
    expect(await report('carol', 'y')).toMatchObject({
      code: 409,
      body: { details: { causes: [{ message: 'conflict with "bob" with subresource "status"' }] } },
    });
    const own = '{metadata: {managedFields: [{}]}, status: {message: z}}';
    const patched = await merge(`${pods}/status?fieldManager=dora`, own);
    expect(managers(patched.body)).toEqual(['alice', 'dora']);
  });

  it.each<[string, (target: string) => Promise<{ code: number }>]>([
    ['a merge patch', (target) => merge(target, 'metadata: {managedFields: [{}]}')],
    [
      'a JSON patch',
      (target) =>
        send(
          ...([
            'PATCH',
            target,
            '[{op: replace, path: /metadata/managedFields, value: [{}]}]',
          ] as const),
          'application/json-patch+json',
        ),
    ],
  ])('managedFields are cleared by one empty entry: %s', async (how, clear) => {
    const target = `${maps}/${how.replaceAll(' ', '-').toLowerCase()}`;
    await apply(target, 'kubectl', `{metadata: {name: ${target.split('/').at(-1)}}, data: {a: b}}`);
    expect(await clear(target)).toMatchObject({ code: 200 });
    const { body } = await send('GET', target);
    expect(body.metadata).not.toHaveProperty('managedFields');
  });

  it('an empty list of managedFields resets nothing', async () => {
    await apply(url, 'kubectl', testMap('x'));
    const { body } = await merge(url, 'metadata: {managedFields: []}');
    expect(managers(body)).toContain('kubectl');
  });

  it.each<[string, string, number, string]>([
    ['needs a manager', '?', 422, 'fieldManager: Required value: is required for apply patch'],
    ['takes no other name', '?fieldManager=a', 400, 'does not match the name on the URL'],
  ])('%s', async (_, query, code, words) => {
    const yaml = '{apiVersion: v1, kind: ConfigMap, metadata: {name: another}}';
    const type = 'application/apply-patch+yaml';
    const refused = await send(
      'PATCH',
      `${url}${query}`,
      yaml.replace('another', code === 422 ? 'test-cm' : 'another'),
      type,
    );
    expect(refused).toMatchObject({ code, body: { message: expect.stringContaining(words) } });
  });

  it('with a resourceVersion that is not the latest is refused', async () => {
    const stale = '{metadata: {name: test-cm, resourceVersion: "1"}, data: {key: y}}';
    expect(await apply(url, 'kubectl', stale)).toMatchObject({ code: 409 });
  });

  it('leaves managedFields to the server', async () => {
    const own = '{metadata: {name: test-cm, managedFields: [{manager: x}]}}';
    expect(await apply(url, 'kubectl', own)).toMatchObject({
      code: 400,
      body: { message: 'metadata.managedFields must be nil' },
    });
  });

  it("merges by the lists' kinds: maps by their keys, sets united, the rest replaced", async () => {
    const pods = '/api/v1/namespaces/default/pods/lists';
    const of = (container: string, finalizer: string, more: string) =>
      `{apiVersion: v1, kind: Pod, metadata: {name: lists, finalizers: [${finalizer}]}, spec: {containers: [${container}]${more}}}`;
    const web = '{name: web, image: x, ports: [{containerPort: 53, protocol: TCP}]}';
    await apply(pods, 'a', of(web, 'x/a', ', tolerations: [{key: a, operator: Exists}]'));
    const labels = await apply(pods, 'b', '{metadata: {finalizers: [x/b], labels: {b: b}}}');
    expect(labels.body.metadata).toMatchObject({ finalizers: ['x/a', 'x/b'], labels: { b: 'b' } });
    const conflict = await apply(pods, 'b', '{spec: {tolerations: [{key: b, operator: Exists}]}}');
    expect(conflict).toMatchObject({
      code: 409,
      body: { message: expect.stringContaining('.spec.tolerations') },
    });
  });
});
