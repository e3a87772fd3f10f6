import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../api/config-map.ts';
import { Deployment } from '../../../api/deployment.ts';
import { Namespace } from '../../../api/namespace.ts';
import { orc, startOrc } from '../../support/orc-cli.ts';
import { openTlsWorld, type TlsWorld } from '../../support/tls-world.ts';
import { waitFor } from '../../support/wait-for.ts';

let world: TlsWorld;

beforeAll(async () => {
  world = await openTlsWorld();
});

afterAll(() => world.close());

const run = (...args: readonly string[]) => orc(args, { kubeconfig: world.kubeconfig });

async function file(name: string, content: string): Promise<string> {
  const path = join(world.dir, name);
  await writeFile(path, content);
  return path;
}

const configMap = (name: string, data = '{a: b}', namespace = '') => `
apiVersion: v1
kind: ConfigMap
metadata: {name: ${name}${namespace && `, namespace: ${namespace}`}}
data: ${data}
`;

const deployment = (name: string, image = 'web:1', replicas = 2) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      containers:
        - name: web
          image: ${image}
`;

describe('orc apply', () => {
  it('says of each object whether it was created, configured or unchanged', async () => {
    const path = await file('c.yaml', configMap('c'));
    expect(await run('apply', '-f', path)).toEqual({
      code: 0,
      out: 'configmap/c created\n',
      err: '',
    });
    expect((await run('apply', '-f', path)).out).toBe('configmap/c unchanged\n');
    await file('c.yaml', configMap('c', '{a: c}'));
    expect((await run('apply', '-f', path)).out).toBe('configmap/c configured\n');
    const stored = world.cache.get(ConfigMap, { namespace: 'default', name: 'c' });
    expect(stored?.data).toEqual({ a: 'c' });
  });

  it('tells all that is wrong in all documents, each with its place, and applies nothing', async () => {
    const path = await file(
      'bad.yaml',
      [
        configMap('good-one'),
        `${deployment('web')}          resources: {limits: {memory: 512m}}\n`,
        'apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  selectr: {}\n  ports: [{port: 80}]\n',
        'apiVersion: v1\nkind: Depolyment\nmetadata: {name: web}\n',
        configMap('lost', '{}', 'nowhere'),
        'a: 1\na: 2\n',
      ].join('---\n'),
    );
    const { code, out, err } = await run('apply', '-f', path);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err.replaceAll(path, 'bad.yaml').split('\n')).toEqual([
      'bad.yaml:19:40  Deployment default/web  spec.template.spec.containers[0].resources.limits.memory: "512m" is 0.512 bytes; did you mean "512Mi"?',
      'bad.yaml:25:3  Service default/web  spec.selectr: unknown field; did you mean "selector"?',
      'bad.yaml:29:7  kind: orc does not serve "Depolyment" (v1); did you mean "Deployment"?',
      'bad.yaml:35:35  ConfigMap nowhere/lost  metadata.namespace: there is no namespace "nowhere"; add it to the files or create it first',
      'bad.yaml:39:1  a is given twice',
      'nothing was applied',
      '',
    ]);
    expect(world.cache.get(ConfigMap, { namespace: 'default', name: 'good-one' })).toBeUndefined();
  });

  it('makes a namespace before what is in it, wherever it is written', async () => {
    const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n';
    const path = await file('shop.yaml', `${configMap('c', '{}', 'shop')}---\n${namespace}`);
    expect(await run('apply', '-f', path)).toEqual({
      ...{ code: 0, err: '' },
      out: 'namespace/shop created\nconfigmap/c created\n',
    });
    expect(world.cache.get(Namespace, { namespace: '', name: 'shop' })).toBeDefined();
  });

  it('makes a RuntimeClass before the pods that name it, and misses one that nobody describes', async () => {
    const pod = (name: string, runtime: string) =>
      `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec:\n  runtimeClassName: ${runtime}\n  containers: [{name: c, image: c:1}]\n`;
    const runtimeClass =
      'apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: box}\nhandler: box\n';
    const path = await file('box.yaml', `${pod('boxed', 'box')}---\n${runtimeClass}`);
    expect(await run('apply', '-f', path, '--dry-run')).toEqual({
      ...{ code: 0, err: '' },
      out: 'runtimeclass.node.k8s.io/box created (dry run)\npod/boxed created (dry run)\n',
    });
    const lost = await file('lost.yaml', `${runtimeClass}---\n${pod('lost', 'bix')}`);
    const refused = await run('apply', '-f', lost);
    expect({ ...refused, err: refused.err.replace(lost, 'lost.yaml') }).toEqual({
      ...{ code: 1, out: '' },
      err: 'lost.yaml:10:21  Pod default/lost  spec.runtimeClassName: pod rejected: RuntimeClass "bix" not found\nnothing was applied\n',
    });
    expect(await run('apply', '-f', path)).toEqual({
      ...{ code: 0, err: '' },
      out: 'runtimeclass.node.k8s.io/box created\npod/boxed created\n',
    });
  });

  it('changes nothing in a dry run, and says what it would', async () => {
    const path = await file('dry.yaml', configMap('dry'));
    const dry = await run('apply', '-f', path, '--dry-run');
    expect(dry).toEqual({ code: 0, out: 'configmap/dry created (dry run)\n', err: '' });
    expect(world.cache.get(ConfigMap, { namespace: 'default', name: 'dry' })).toBeUndefined();
    await run('apply', '-f', path);
    expect((await run('apply', '-f', path, '--dry-run')).out).toContain('unchanged (dry run)');
    await file('dry.yaml', configMap('dry', '{a: other}'));
    expect((await run('apply', '-f', path, '--dry-run')).out).toContain('configured (dry run)');
  });

  it('reads standard input, directories and Lists', async () => {
    const list = `apiVersion: v1\nkind: List\nitems:\n- ${configMap('l').trim().replaceAll('\n', '\n  ')}\n`;
    const stdin = await orc(['apply', '-f', '-'], { kubeconfig: world.kubeconfig, input: list });
    expect(stdin.out).toBe('configmap/l created\n');
    await mkdir(join(world.dir, 'many/deep'), { recursive: true });
    await file('many/b.yml', configMap('b'));
    await file(
      'many/a.json',
      JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } }),
    );
    await file('many/notes.txt', 'not a manifest');
    await file('many/deep/d.yaml', configMap('d'));
    const many = join(world.dir, 'many');
    expect((await run('apply', '-f', many)).out).toBe('configmap/a created\nconfigmap/b created\n');
    expect((await run('apply', '-f', many, '-R')).out).toContain('configmap/d created');
  });

  it('waits for a rollout, and says how long it took', async () => {
    const path = await file('web.yaml', deployment('web'));
    const running = startOrc(['apply', '-f', path, '--wait'], { kubeconfig: world.kubeconfig });
    await waitFor('creation', () => running.out().includes('created'));
    await setStatus('web', { readyReplicas: 1, availableReplicas: 1 });
    await setStatus('web', { readyReplicas: 2, availableReplicas: 2 });
    const { code, out, err } = await running.ended;
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^deployment\.apps\/web created\nrollout {5}2\/2 ready in \d+(\.\d)? s\n$/);
  });

  it('leaves the rollout alone when interrupted, and says so', async () => {
    const path = await file('slow.yaml', deployment('slow'));
    const running = startOrc(['apply', '-f', path, '--wait'], { kubeconfig: world.kubeconfig });
    await waitFor('the first sign of waiting', () => running.out().includes('rollout'));
    running.child.kill('SIGINT');
    const { code, err } = await running.ended;
    expect({ code, err }).toEqual({
      code: 1,
      err: 'interrupted: the rollout goes on; orc rollout status deploy/slow\n',
    });
    expect(world.cache.get(Deployment, { namespace: 'default', name: 'slow' })).toBeDefined();
  });

  it('says of what must be text that it is none', async () => {
    const { kubeconfig } = world;
    const input =
      'apiVersion: 1\nkind: Pod\n---\napiVersion: v1\nkind: [Pod]\n---\napiVersion: v1\nkind: Pod\n';
    expect((await orc(['apply', '-f', '-'], { kubeconfig, input })).err.split('\n')).toEqual([
      'stdin:1:13  apiVersion: must be a string, not 1',
      'stdin:5:1  kind: must be a string, not ["Pod"]',
      'stdin:7:1  Pod  metadata.name: is missing',
      ...['nothing was applied', ''],
    ]);
  });

  it('refuses a file without -f, and no file at all', async () => {
    expect(await run('apply', 'web.yaml')).toEqual({
      ...{ code: 2, out: '' },
      err: 'orc: "web.yaml": files are given with -f\n',
    });
    expect((await run('apply')).code).toBe(2);
    const missing = await run('apply', '-f', '/nonexistent.yaml');
    expect(missing.code).toBe(1);
    expect(missing.err).toBe('orc: there is no file or directory /nonexistent.yaml\n');
  });
});

async function setStatus(
  name: string,
  counts: { readyReplicas: number; availableReplicas: number },
): Promise<void> {
  const target = { key: { namespace: 'default', name }, part: 'status' as const };
  const done = await world.objects.modify(Deployment, target, (stored) => ({
    ...stored,
    status: { observedGeneration: 1, replicas: 2, updatedReplicas: 2, ...counts },
  }));
  expect(done).toBeDefined();
}
