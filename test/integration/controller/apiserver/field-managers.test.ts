import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../../api/config-map.ts';
import { Deployment } from '../../../../api/deployment.ts';
import { type Kubectl, outermostKubectls, runKubectl } from '../../../support/kubectl.ts';
import { openTlsWorld, type TlsWorld } from '../../../support/tls-world.ts';

let world: TlsWorld;
beforeAll(async () => {
  world = await openTlsWorld();
});
afterAll(() => world.close());

const shell = (kubectl: Kubectl) => async (command: string, object?: object) => {
  const { code, out, err } = await runKubectl(kubectl, command.split(' '), {
    ...{ kubeconfig: world.kubeconfig, cacheDir: join(world.dir, kubectl.version) },
    ...(object && { input: JSON.stringify(object) }),
  });
  return code === 0 ? out : err;
};
const configMap = (name: string, data: object) => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data },
});
const key = (name: string) => ({ namespace: 'default', name });
const note = 'kubectl.kubernetes.io/last-applied-configuration';

describe.each(outermostKubectls())('kubectl $version', (kubectl) => {
  const run = shell(kubectl);
  const named = (name: string) => `${name}-${kubectl.version}`;
  const managersOf = async (name: string) =>
    (await world.objects.get(ConfigMap, key(name)))?.metadata.managedFields?.map(
      ({ manager, operation }) => `${manager} ${operation}`,
    );

  it('hears who has changed a field since it was applied', async () => {
    const name = named('patched');
    const apply = (data: object, more = '') =>
      run(`apply --server-side --field-manager=alice${more} -f -`, configMap(name, data));
    const applied = `configmap/${name} serverside-applied\n`;
    expect(await apply({ a: '1', b: '1' })).toBe(applied);
    await run(`patch cm ${name} -p {"data":{"a":"2"}}`);
    expect(await apply({ a: '1', b: '1' })).toContain(
      'Apply failed with 1 conflict: conflict with "kubectl-patch" using v1: .data.a\n',
    );
    expect(await run(`get cm ${name} -o yaml`)).not.toContain('managedFields');
    expect(await run(`get cm ${name} -o yaml --show-managed-fields`)).toMatch(
      /manager: kubectl-patch\n +operation: Update\n/,
    );
    expect(await apply({ a: '2', b: '1' })).toBe(applied);
    expect(await managersOf(name)).toEqual(['alice Apply', 'kubectl-patch Update']);
    expect(await apply({ a: '1', b: '1' }, ' --force-conflicts')).toBe(applied);
    expect(await managersOf(name)).toEqual(['alice Apply']);
  });

  it('goes over from applying on the client to the server and back', async () => {
    const name = named('moved');
    const stored = async () => {
      const { metadata, data } = (await world.objects.get(ConfigMap, key(name))) ?? {};
      const { [note]: noted = '{}' } = metadata?.annotations ?? {};
      return { data, labels: metadata?.labels, noted: JSON.parse(noted).data };
    };
    const labels = { by: 'hand' };
    await run('apply -f -', configMap(name, { a: '1', b: '1', c: '1' }));
    await run(`label cm ${name} by=hand`);
    const first = { a: '2', c: '1' };
    expect(await run('apply --server-side -f -', configMap(name, first))).toBe(
      `configmap/${name} serverside-applied\n`,
    );
    expect(await stored()).toEqual({ data: first, labels, noted: first });
    expect(await managersOf(name)).not.toContain('kubectl-client-side-apply Update');
    await run('apply --server-side -f -', configMap(name, { a: '2' }));
    expect(await stored()).toEqual({ data: { a: '2' }, labels, noted: { a: '2' } });
    expect(await run('apply -f -', configMap(name, { d: '1' }))).toBe(
      `configmap/${name} configured\n`,
    );
    expect(await stored()).toEqual({ data: { d: '1' }, labels, noted: { d: '1' } });
  });

  it('does not undo by it what somebody else has changed', async () => {
    const name = named('edited');
    await run('apply -f -', configMap(name, { a: '1', b: '1' }));
    await run(`patch cm ${name} -p {"data":{"a":"2"}}`);
    expect(await run('apply --server-side -f -', configMap(name, { a: '1', b: '2' }))).toContain(
      'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.a\n',
    );
    expect((await world.objects.get(ConfigMap, key(name)))?.data).toEqual({ a: '2', b: '1' });
  });

  it('tells who has scaled, and a status from the rest', async () => {
    const name = named('scaled');
    const container = { name: 'web', image: 'web:1' };
    const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [container] } };
    const object = (replicas: number) => ({
      ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: 'default' } },
      spec: { replicas, selector: { matchLabels: { a: 'b' } }, template },
    });
    const manager = '--field-manager=alice';
    await run(`apply --server-side ${manager} -f -`, object(1));
    await run(`scale deploy ${name} --replicas=3`);
    const status = '{"status":{"replicas":3}}';
    await run(`patch deploy ${name} --subresource=status --type=merge -p ${status}`);
    expect(await run(`apply --server-side ${manager} -f -`, object(2))).toMatch(
      /conflict with "kubectl[^"]*" with subresource "scale" using apps\/v1: \.spec\.replicas\n/,
    );
    const { metadata, status: stored } = (await world.objects.get(Deployment, key(name))) ?? {};
    expect(stored).toMatchObject({ replicas: 3 });
    // Those of one second come in the order of their managers' names.
    const parts = metadata?.managedFields?.map(({ subresource = '' }) => subresource);
    expect(parts?.sort()).toEqual(['', 'scale', 'status']);
    expect(metadata?.generation).toBe(2);
  });
});
