import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../api/config-map.ts';
import { Secret } from '../../../api/secret.ts';
import { orc } from '../../support/orc-cli.ts';
import { openTlsWorld, type TlsWorld } from '../../support/tls-world.ts';

let world: TlsWorld;
let path: string;

beforeAll(async () => {
  world = await openTlsWorld();
  path = join(world.dir, 'shop.yaml');
});

afterAll(() => world.close());

/** The file's path is shortened. */
async function run(...args: readonly string[]) {
  const { code, out, err } = await orc(args, { kubeconfig: world.kubeconfig });
  const short = (text: string) => text.replaceAll(path, 'shop.yaml');
  return { code, out: short(out), err: short(err) };
}

const write = (...documents: readonly string[]) => writeFile(path, documents.join('---\n'));

const configMap = (name: string, data: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: ${data}\n`;

const secret = (text: string) =>
  `apiVersion: v1\nkind: Secret\nmetadata: {name: key}\nstringData: ${text}\n`;

const deployment = (image: string) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: ${image}
`;

const stored = (name: string) => world.cache.get(ConfigMap, { namespace: 'default', name });

describe('orc plan and orc diff', () => {
  beforeEach(async () => {
    await write(configMap('c', '{a: one}'), secret('{password: hush}'), deployment('web:1'));
    expect((await run('apply', '-f', path)).code).toBe(0);
  });

  it('say that nothing would change', async () => {
    expect(await run('plan', '-f', path)).toEqual({
      ...{ code: 0, err: '' },
      out: 'configmap/c unchanged\nsecret/key unchanged\ndeployment.apps/web unchanged\n\nan apply: 3 unchanged\n',
    });
    expect(await run('diff', '-f', path)).toEqual({ code: 0, out: '', err: '' });
  });

  it('name each field that would be another, with its line, and change nothing', async () => {
    await write(
      configMap('c', '{a: two}'),
      secret('{password: louder, more: x}'),
      deployment('web:2'),
      configMap('new', '{}'),
    );
    expect(await run('plan', '-f', path)).toEqual({
      ...{ code: 0, err: '' },
      out: `configmap/c changed
  shop.yaml:4:11  data.a: "one" → "two"
secret/key changed
  shop.yaml:9:24  data.password: changed
  shop.yaml:9:38  data.more: added
deployment.apps/web changed, with new pods
  shop.yaml:21:18  spec.template.spec.containers[web].image: "web:1" → "web:2"
configmap/new created

an apply: 1 created, 3 changed
`,
    });
    expect(stored('c')?.data).toEqual({ a: 'one' });
    expect(stored('new')).toBeUndefined();
  });

  it('show lines in a form that patch understands, never what a Secret holds, and exit with 1', async () => {
    await write(configMap('c', '{a: two}'), secret('{password: louder}'));
    const { code, out, err } = await run('diff', '-f', path);
    expect({ code, err }).toEqual({ code: 1, err: '' });
    const changed = out.split('\n').filter((line) => /^[-+@]/.test(line));
    expect(changed).toEqual([
      ...['--- live/v1.ConfigMap.default.c', '+++ applied/v1.ConfigMap.default.c'],
      ...['@@ -6,4 +6,4 @@', '-  a: one', '+  a: two'],
      ...['--- live/v1.Secret.default.key', '+++ applied/v1.Secret.default.key'],
      ...['@@ -7,4 +7,4 @@', '-  password: "*** (before)"', '+  password: "*** (after)"'],
    ]);
    expect(out).not.toContain(Buffer.from('louder').toString('base64'));
  });

  it('exit with 2 for what the server would refuse, and for no server', async () => {
    await write(configMap('c', '{a: 3}'));
    const wrong = 'shop.yaml:4:11  ConfigMap default/c  data.a: 3 must be a string, not a number\n';
    expect(await run('diff', '-f', path)).toEqual({
      ...{ code: 2, out: '', err: `${wrong}nothing was applied\n` },
    });
    expect((await run('plan', '-f', path)).code).toBe(1);
    const gone = await orc(['diff', '-f', path], { kubeconfig: '/nonexistent' });
    expect(gone.code).toBe(2);
  });
});

describe('orc apply --prune', () => {
  const set = ['--prune', '--applyset', 'shop'];

  it('deletes what the set holds and the files no longer describe, and nothing else', async () => {
    await write(configMap('other', '{}'));
    await run('apply', '-f', path);
    await write(configMap('keep', '{}'), configMap('old', '{}'), secret('{a: b}'));
    expect(await run('apply', '-f', path, ...set)).toEqual({
      ...{ code: 0, err: '' },
      out: 'configmap/keep created\nconfigmap/old created\nsecret/key configured\n',
    });
    await write(configMap('keep', '{}'));
    const preview = await run('plan', '-f', path, ...set);
    expect(preview.out).toBe(
      'configmap/keep unchanged\nsecret/key pruned\nconfigmap/old pruned\n\nan apply: 1 unchanged, 2 pruned\n',
    );
    expect((await run('apply', '-f', path, ...set, '--dry-run')).out).toContain(
      'configmap/old pruned (dry run)\n',
    );
    expect(await run('apply', '-f', path, ...set)).toEqual({
      ...{ code: 2, out: '' },
      err: 'the files no longer describe, and the apply set holds:\n  secret/key\n  configmap/old\norc: nobody is there to be asked: give --yes\n',
    });
    expect(stored('old')).toBeDefined();
    expect(await run('apply', '-f', path, ...set, '--yes')).toEqual({
      ...{ code: 0, err: '' },
      out: 'configmap/keep unchanged\nsecret/key pruned\nconfigmap/old pruned\n',
    });
    expect([stored('old'), stored('keep')?.metadata.name]).toEqual([undefined, 'keep']);
    expect(stored('other')).toBeDefined();
    const parent = world.cache.get(Secret, { namespace: 'default', name: 'shop' });
    expect(parent?.metadata.annotations).toEqual({
      'applyset.kubernetes.io/tooling': expect.stringMatching(/^orc\/v/),
      'applyset.kubernetes.io/contains-group-kinds': 'ConfigMap',
    });
    // The ID as kubectl's --applyset=shop computes it.
    expect(stored('keep')?.metadata.labels).toEqual({
      'applyset.kubernetes.io/part-of': parent?.metadata.labels?.['applyset.kubernetes.io/id'],
    });
  });

  it('finds members in other namespaces, too', async () => {
    const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: far}\n';
    const far = configMap('c', '{}').replace('{name: c}', '{name: c, namespace: far}');
    const args = ['apply', '-f', path, '--prune', '--applyset', 'wide', '--yes'];
    await write(namespace, far);
    await run(...args);
    await write(namespace);
    expect((await run(...args)).out).toBe('namespace/far unchanged\nconfigmap/c pruned\n');
  });

  it('takes no object of another set, and no Secret that is no set', async () => {
    await write(configMap('mine', '{}'));
    await run('apply', '-f', path, ...set, '--yes');
    const { code, err } = await run('apply', '-f', path, '--prune', '--applyset', 'another');
    expect(code).toBe(1);
    expect(err).toMatch(
      /^shop\.yaml:3:18 {2}configmap\/mine {2}belongs to another apply set, appl/,
    );
    await write(secret('{a: b}'));
    await run('apply', '-f', path);
    expect(await run('plan', '-f', path, '--prune', '--applyset', 'key')).toMatchObject({
      err: 'orc: secret/key is there and is no apply set: choose another name\n',
    });
    expect((await run('apply', '-f', path, '--prune')).code).toBe(2);
  });
});
