import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../api/config-map.ts';
import { Deployment } from '../../../api/deployment.ts';
import type { Kind } from '../../../api/kind.ts';
import { Pod } from '../../../api/pod.ts';
import { parseObject } from '../../../api/prepare.ts';
import type { Fields } from '../../../api/schema.ts';
import { orc, startOrc } from '../../support/orc-cli.ts';
import { openTlsWorld, type TlsWorld } from '../../support/tls-world.ts';
import { waitFor } from '../../support/wait-for.ts';

let world: TlsWorld;

beforeAll(async () => {
  world = await openTlsWorld();
  await add(Pod, {
    metadata: { name: 'web' },
    spec: { nodeName: 'n1', containers: [{ name: 'web', image: 'web:1' }] },
  });
});

afterAll(() => world.close());

async function add<F extends Fields>(kind: Kind<F>, manifest: object): Promise<void> {
  const parsed = parseObject(kind, manifest, { namespace: 'default' });
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  await world.objects.create(kind, parsed.object);
}

const run = (...args: readonly string[]) => orc(args, { kubeconfig: world.kubeconfig });
const start = (...args: readonly string[]) => startOrc(args, { kubeconfig: world.kubeconfig });
const place = (name: string) => ({ namespace: 'default', name });

describe('orc wait', () => {
  const setReady = (status: 'True' | 'False') =>
    world.objects.modify(Pod, { key: place('web'), part: 'status' }, (pod) => ({
      ...pod,
      status: {
        ...pod.status,
        conditions: [{ type: 'Ready', status, lastTransitionTime: '2026-01-01T00:00:00Z' }],
      },
    }));

  it('waits for a condition, whatever its case and its value', async () => {
    await setReady('False');
    expect((await run('wait', 'pod/web', '--for', 'condition=Ready=false')).out).toBe(
      'pod/web condition met\n',
    );
    const waiting = start('wait', 'pod', 'web', '--for', 'condition=ready');
    await waitFor('the watch', () => waiting.child.exitCode === null);
    await setReady('True');
    expect(await waiting.ended).toEqual({ code: 0, out: 'pod/web condition met\n', err: '' });
  });

  it('counts no condition that is about an older generation', async () => {
    await add(Deployment, {
      metadata: { name: 'web' },
      spec: {
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: { containers: [{ name: 'web', image: 'web:1' }] },
        },
      },
    });
    const available = (observedGeneration: number) =>
      world.objects.modify(Deployment, { key: place('web'), part: 'status' }, (stored) => ({
        ...stored,
        status: {
          ...stored.status,
          observedGeneration,
          conditions: [{ type: 'Available', status: 'True' }] as const,
        },
      }));
    const args = ['wait', 'deploy/web', '--for', 'condition=Available', '--timeout'];
    await available(0);
    expect((await run(...args, '0')).code).toBe(1);
    await available(1);
    expect((await run(...args, '0')).code).toBe(0);
  });

  it('waits for what comes and for what goes', async () => {
    const coming = start('wait', 'cm/late', '--for', 'create');
    await add(ConfigMap, { metadata: { name: 'late' }, data: {} });
    expect(await coming.ended).toMatchObject({ code: 0, out: 'configmap/late condition met\n' });
    const going = start('wait', 'cm/late', '--for', 'delete');
    await world.objects.delete(ConfigMap, place('late'), {});
    expect(await going.ended).toMatchObject({ code: 0, out: 'configmap/late condition met\n' });
  });

  it('fails when time is up, when there is no such object, and when nothing is selected', async () => {
    const path = "jsonpath={.spec.containers[?(@.name=='web')].image}=web:2";
    expect(await run('wait', 'pod/web', '--for', path, '--timeout', '0')).toEqual({
      ...{ code: 1, out: '' },
      err: `orc: time is up: still waiting for ${path} of pod/web\n`,
    });
    expect((await run('wait', 'pod/gone', '--for', 'condition=Ready')).err).toBe(
      'orc: pods "gone" not found\n',
    );
    const nothing = await run('wait', 'pods', '-l', 'app=none', '--for', 'condition=Ready');
    expect(nothing).toEqual({ code: 1, out: '', err: 'nothing is selected\n' });
    expect((await run('wait', 'pod/web', '--for', 'ready')).code).toBe(2);
    expect((await run('wait', 'pod/web')).err).toContain("'--for <what>' not specified");
  });
});

describe('orc get -o', () => {
  it('prints each change in the form that is asked for', async () => {
    const watching = start(
      'get',
      'pod/web',
      '-w',
      '-o',
      'custom-columns=N:.metadata.name,A:.metadata.annotations.a',
      '--no-headers',
    );
    try {
      await waitFor('the pod', () => watching.out() === 'web   <none>\n');
      await run('annotate', 'pod/web', 'a=b');
      await waitFor('its change', () => watching.out() === 'web   <none>\nweb   b\n');
    } finally {
      watching.child.kill('SIGINT');
      await watching.ended;
    }
  });

  it('reads a template from a file, and refuses what it doesn’t know', async () => {
    const file = join(world.dir, 'template');
    await writeFile(file, '{.metadata.name}\n');
    expect((await run('get', 'pod/web', '-o', `jsonpath-file=${file}`)).out).toBe('web\n');
    const cases: readonly [output: string, code: number, err: RegExp][] = [
      ['go-template={{.metadata.name}}', 2, /^orc: orc has no Go templates; -o jsonpath=/],
      ['jsonpath', 2, /^orc: --output must be one of name, yaml/],
      ['jsonpath={.a', 2, /^orc: JSONPath \{\.a: at character 4 "\}" is due, but it ends$/m],
      ['jsonpath-file=/nonexistent', 1, /^orc: cannot read \/nonexistent/],
      ['custom-columns=A', 2, /^orc: custom-columns: "A" is not HEADER:PATH$/m],
      ['yml', 2, /^orc: --output must be one of .*, not yml$/m],
    ];
    for (const [output, code, err] of cases)
      expect({ output, ...(await run('get', 'pod/web', '-o', output)) }).toMatchObject({
        ...{ output, code, err: expect.stringMatching(err) },
      });
  });
});

describe('orc explain', () => {
  it('teaches fields, and suggests those that were meant', async () => {
    expect((await run('explain', 'deploy.spec.strategy.type')).out).toBe(
      'KIND      Deployment\nVERSION   apps/v1\nFIELD     spec.strategy.type <string>\n\nStep by step, or all old ones first.\nOne of RollingUpdate, Recreate.\nDefault: "RollingUpdate"\n',
    );
    expect((await run('explain', 'pod.spec.containers', '--recursive')).out).toContain(
      '\n  env <[]Object>\n    name <string> required\n',
    );
    expect((await run('explain', 'pod.spec.contianers')).err).toBe(
      'orc: there is no field "contianers"; did you mean "containers"?\n',
    );
  });
});
