import { writeFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { ConfigMap } from '../../../api/config-map.ts';
import { Deployment } from '../../../api/deployment.ts';
import { Secret } from '../../../api/secret.ts';
import { Service } from '../../../api/service.ts';
import { configMap, deployment, secret, service } from './manifests.ts';
import type { Conform } from './shell.ts';

/** apply, diff, create -f, replace, edit. */
export function declarativeCommands(conform: Conform): void {
  conform('apply: creates, leaves alone, changes', async ({ ok, stored }) => {
    const all = (image: string) => [
      ...[deployment('web', image), service('web'), configMap('web'), secret('web')],
    ];
    const said = (what: string) =>
      `deployment.apps/web ${what}\nservice/web unchanged\nconfigmap/web unchanged\nsecret/web unchanged\n`;
    expect(await ok('apply -f -', { input: all('web:1') })).toBe(
      said('created').replaceAll('unchanged', 'created'),
    );
    // stringData is never what is stored: kubectl sends it again each time.
    expect(await ok('apply -f -', { input: all('web:1') })).toBe(
      said('unchanged').replace('secret/web unchanged', 'secret/web configured'),
    );
    expect((await stored(Deployment, 'web'))?.metadata.generation).toBe(1);
    await ok('apply -f -', { input: all('web:2') });
    const changed = await stored(Deployment, 'web');
    expect(changed?.metadata.generation).toBe(2);
    expect(changed?.spec.template.spec.containers[0]?.image).toBe('web:2');
    expect((await stored(Secret, 'web'))?.data).toEqual({
      password: Buffer.from('open sesame').toString('base64'),
    });
  });

  conform('apply: takes away what the manifest no longer has', async ({ ok, stored }) => {
    await ok('apply -f -', { input: configMap('fewer', { a: '1', b: '2' }) });
    await ok('patch cm fewer --type=merge -p {"data":{"c":"3"}}');
    expect(await ok('apply -f -', { input: configMap('fewer', { a: '1' }) })).toBe(
      'configmap/fewer configured\n',
    );
    expect((await stored(ConfigMap, 'fewer'))?.data).toEqual({ a: '1', c: '3' });
  });

  conform('apply: dry runs store nothing', async ({ ok, stored }) => {
    const input = configMap('dry');
    expect(await ok('apply -f - --dry-run=client', { input })).toBe(
      'configmap/dry created (dry run)\n',
    );
    expect(await ok('apply -f - --dry-run=server', { input })).toBe(
      'configmap/dry created (server dry run)\n',
    );
    expect(await stored(ConfigMap, 'dry')).toBeUndefined();
    await ok('apply -f -', { input });
    const changed = configMap('dry', { key: 'two' });
    expect(await ok('apply -f - --dry-run=server', { input: changed })).toBe(
      'configmap/dry configured (server dry run)\n',
    );
    const yaml = await ok('apply -f - --dry-run=server -o jsonpath={.data.key}', {
      input: changed,
    });
    expect(yaml).toBe('two');
    expect((await stored(ConfigMap, 'dry'))?.data).toEqual({ key: 'one' });
  });

  conform('apply --server-side: owns what it applies', async ({ ok, fails, stored }) => {
    const apply = (manager: string, data: object, more = '') =>
      [
        `apply --server-side -f - --field-manager=${manager}${more}`,
        { input: configMap('shared', data) },
      ] as const;
    const applied = 'configmap/shared serverside-applied\n';
    expect(await ok(...apply('alice', { a: '1' }))).toBe(applied);
    const before = await stored(ConfigMap, 'shared');
    expect(await ok(...apply('alice', { a: '1' }))).toBe(applied);
    expect(await stored(ConfigMap, 'shared')).toEqual(before);
    expect(await ok(...apply('bob', { b: '1' }))).toBe(applied);
    const conflict = await fails(...apply('bob', { a: '2', b: '1' }));
    expect(conflict).toContain('Apply failed with 1 conflict: conflict with "alice": .data.a');
    expect(conflict).toContain('--force-conflicts');
    expect(await ok(...apply('bob', { a: '2', b: '1' }, ' --force-conflicts'))).toBe(applied);
    expect((await stored(ConfigMap, 'shared'))?.data).toEqual({ a: '2', b: '1' });
    expect(await ok(...apply('bob', { b: '1' }))).toBe(applied);
    expect((await stored(ConfigMap, 'shared'))?.data).toEqual({ b: '1' });
    expect(await ok(...apply('carol', { d: '1' }, ' --dry-run=server'))).toBe(
      'configmap/shared serverside-applied (server dry run)\n',
    );
    expect((await stored(ConfigMap, 'shared'))?.data).toEqual({ b: '1' });
    expect(
      await ok(
        'get cm shared --show-managed-fields -o jsonpath={.metadata.managedFields[*].manager}',
      ),
    ).toBe('bob');
  });

  conform('apply --server-side: takes over from apply', async ({ ok, stored }) => {
    await ok('apply -f -', { input: configMap('moved', { a: '1', b: '2' }) });
    await ok('apply --server-side -f -', { input: configMap('moved', { a: '1', b: '2' }) });
    expect((await stored(ConfigMap, 'moved'))?.data).toEqual({ a: '1', b: '2' });
  });

  conform('apply --prune: removes what is not applied any more', async ({ ok, stored }) => {
    const labelled = (name: string) => {
      const map = configMap(name);
      return { ...map, metadata: { ...map.metadata, labels: { set: 'pruned' } } };
    };
    const prune = '--prune -l set=pruned --prune-allowlist=core/v1/ConfigMap';
    await ok(`apply -f - ${prune}`, { input: [labelled('kept'), labelled('gone')] });
    expect(await ok(`apply -f - ${prune}`, { input: [labelled('kept')] })).toBe(
      'configmap/kept unchanged\nconfigmap/gone pruned\n',
    );
    expect(await stored(ConfigMap, 'gone')).toBeUndefined();
    expect(await stored(ConfigMap, 'kept')).toBeDefined();
  });

  conform('apply: remembers, shows and sets what was applied last', async ({ ok, stored }) => {
    await ok('apply -f -', { input: configMap('last') });
    expect(JSON.parse(await ok('apply view-last-applied cm last -o json'))).toMatchObject({
      data: { key: 'one' },
    });
    expect(
      await ok('apply set-last-applied -f -', { input: configMap('last', { key: 'two' }) }),
    ).toMatch(/^configmap\/last configured\n$/);
    const { annotations = {} } = (await stored(ConfigMap, 'last'))?.metadata ?? {};
    expect(annotations['kubectl.kubernetes.io/last-applied-configuration']).toContain('two');
  });

  conform('apply: says what is wrong, by its path', async ({ fails, stored, namespace }) => {
    const typo = JSON.parse(JSON.stringify(deployment('typo')).replace('replicas', 'replcas'));
    expect(await fails('apply -f -', { input: typo })).toMatch(/^(Error|The).*spec\.replcas/s);
    const wrong = JSON.parse(JSON.stringify(deployment('typo')).replace('"web:1"', 'true'));
    expect(await fails('apply -f -', { input: wrong })).toMatch(
      /spec\.template\.spec\.containers\[0\]\.image/,
    );
    expect(await stored(Deployment, 'typo')).toBeUndefined();
    const nowhere = { ...configMap('x'), metadata: { name: 'x', namespace: 'nowhere' } };
    expect(await fails('apply -f -', { input: nowhere })).toContain(
      `the namespace from the provided object "nowhere" does not match the namespace "${namespace}"`,
    );
  });

  conform('apply: says when there is no such kind', async ({ fails }) => {
    const input = { apiVersion: 'apps/v1', kind: 'Frobnicator', metadata: { name: 'x' } };
    expect(await fails('apply -f -', { input })).toMatch(
      /no matches for kind "Frobnicator" in version "apps\/v1"/,
    );
  });

  conform('apply -k: builds and applies', async ({ ok, file, stored }) => {
    const { mkdir } = await import('node:fs/promises');
    await mkdir(file('kustomized'), { recursive: true });
    const text = 'resources: [map.yaml]\nnamePrefix: my-\n';
    await writeFile(file('kustomized/kustomization.yaml'), text);
    await writeFile(file('kustomized/map.yaml'), JSON.stringify(configMap('built')));
    expect(await ok(['apply', '-k', file('kustomized')])).toBe('configmap/my-built created\n');
    expect(await stored(ConfigMap, 'my-built')).toBeDefined();
  });

  conform(
    'diff: exits with 1 and shows the difference, with 0 when there is none',
    async ({ ok, run, stored }) => {
      await ok('apply -f -', { input: configMap('differs') });
      expect(await run('diff -f -', { input: configMap('differs') })).toEqual({
        ...{ code: 0, out: '', err: '' },
      });
      const diff = await run('diff -f -', { input: configMap('differs', { key: 'two' }) });
      expect(diff.code).toBe(1);
      expect(diff.out).toContain('-  key: one\n+  key: two\n');
      const server = await run('diff --server-side --force-conflicts -f -', {
        input: configMap('differs', { key: 'three' }),
      });
      expect(server.code).toBe(1);
      expect(server.out).toContain('+  key: three\n');
      const fresh = await run('diff -f -', { input: configMap('not-yet') });
      expect(fresh.code).toBe(1);
      expect(fresh.out).toContain('+kind: ConfigMap\n');
      expect(await stored(ConfigMap, 'not-yet')).toBeUndefined();
      expect((await stored(ConfigMap, 'differs'))?.data).toEqual({ key: 'one' });
    },
  );

  conform('create -f: creates once', async ({ ok, fails, stored }) => {
    const input = configMap('created');
    expect(await ok('create -f -', { input })).toBe('configmap/created created\n');
    expect(await fails('create -f -', { input })).toBe(
      'Error from server (AlreadyExists): error when creating "STDIN": configmaps "created" already exists\n',
    );
    expect(await ok('create -f - -o name --dry-run=server', { input: configMap('other') })).toBe(
      'configmap/other\n',
    );
    expect(await stored(ConfigMap, 'other')).toBeUndefined();
    const generated = { ...configMap(''), metadata: { generateName: 'made-' } };
    expect(await ok('create -f -', { input: generated })).toMatch(
      /^configmap\/made-[a-z0-9]{5} created\n$/,
    );
  });

  conform(
    'create -f --save-config, create --edit: leave what apply needs',
    async ({ ok, stored, file }) => {
      await ok('create -f - --save-config', { input: configMap('saved') });
      expect(await ok('apply -f -', { input: configMap('saved') })).toBe(
        'configmap/saved unchanged\n',
      );
      await writeFile(file('edited.json'), JSON.stringify(configMap('edited')));
      await ok(['create', '--edit', '-f', file('edited.json')], {
        env: { KUBE_EDITOR: 'sed -i s/one/two/' },
      });
      expect((await stored(ConfigMap, 'edited'))?.data).toEqual({ key: 'two' });
    },
  );

  conform(
    'replace: puts it in its place, unless it is not the latest',
    async ({ ok, fails, stored }) => {
      await ok('create -f -', { input: configMap('replaced') });
      const old = await ok('get cm replaced -o yaml');
      expect(await ok('replace -f -', { input: configMap('replaced', { key: 'two' }) })).toBe(
        'configmap/replaced replaced\n',
      );
      expect((await stored(ConfigMap, 'replaced'))?.data).toEqual({ key: 'two' });
      expect(await fails('replace -f -', { input: old })).toBe(
        'Error from server (Conflict): error when replacing "STDIN": Operation cannot be fulfilled on configmaps "replaced": the object has been modified; please apply your changes to the latest version and try again\n',
      );
      expect(await fails('replace -f -', { input: configMap('absent') })).toBe(
        'Error from server (NotFound): error when replacing "STDIN": configmaps "absent" not found\n',
      );
      const { uid } = (await stored(ConfigMap, 'replaced'))?.metadata ?? {};
      expect(await ok('replace --force -f -', { input: configMap('replaced') })).toBe(
        'configmap "replaced" deleted\nconfigmap/replaced replaced\n',
      );
      expect((await stored(ConfigMap, 'replaced'))?.metadata.uid).not.toBe(uid);
    },
  );

  conform('replace: a Service keeps the address that it was given', async ({ ok, stored }) => {
    await ok('create -f -', { input: service('put') });
    const { clusterIP } = (await stored(Service, 'put'))?.spec ?? {};
    await ok('replace -f -', { input: service('put') });
    expect((await stored(Service, 'put'))?.spec.clusterIP).toBe(clusterIP);
  });

  conform(
    'edit: changes what the editor changes, and nothing when it does not',
    async ({ ok, run, stored }) => {
      await ok('apply -f -', { input: deployment('edited', 'web:1', 0) });
      const sed = (what: string) => ({ env: { KUBE_EDITOR: `sed -i ${what}` } });
      expect(await ok('edit deploy edited', sed('s/web:1/web:2/'))).toBe(
        'deployment.apps/edited edited\n',
      );
      const { spec } = (await stored(Deployment, 'edited')) ?? {};
      expect(spec?.template.spec.containers[0]?.image).toBe('web:2');
      const none = await run('edit deploy edited', sed('s/no-such/word/'));
      expect(none).toEqual({ code: 0, out: '', err: 'Edit cancelled, no changes made.\n' });
      const bad = await run('edit deploy edited', sed("'s/replicas: 0/replicas: -1/'"));
      expect(bad).toMatchObject({ code: 1, err: expect.stringContaining('is invalid') });
      expect((await stored(Deployment, 'edited'))?.spec.replicas).toBe(0);
    },
  );
}
