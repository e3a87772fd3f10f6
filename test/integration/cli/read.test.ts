import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../api/config-map.ts';
import { Deployment } from '../../../api/deployment.ts';
import { Event } from '../../../api/event.ts';
import type { Kind } from '../../../api/kind.ts';
import { LimitRange } from '../../../api/limit-range.ts';
import { Node } from '../../../api/node.ts';
import { Pod } from '../../../api/pod.ts';
import { parseObject } from '../../../api/prepare.ts';
import type { Fields } from '../../../api/schema.ts';
import { Secret } from '../../../api/secret.ts';
import { Service } from '../../../api/service.ts';
import { orc, startOrc } from '../../support/orc-cli.ts';
import { openTlsWorld, type TlsWorld } from '../../support/tls-world.ts';
import { waitFor } from '../../support/wait-for.ts';

let world: TlsWorld;

beforeAll(async () => {
  world = await openTlsWorld();
  await add(Node, { metadata: { name: 'host1' } });
  for (const name of ['web-1', 'web-2'])
    await add(Pod, {
      metadata: { name, labels: { app: 'web' } },
      spec: { nodeName: 'host1', containers: [{ name: 'web', image: 'web:1' }] },
    });
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
  await add(Service, {
    metadata: { name: 'web' },
    spec: { clusterIP: '10.96.0.9', selector: { app: 'web' }, ports: [{ port: 80 }] },
  });
  await add(ConfigMap, { metadata: { name: 'settings' }, data: { a: '1', b: '2' } });
  await add(Secret, { metadata: { name: 'key' }, data: { password: 'aHVzaA==' } });
});

afterAll(() => world.close());

async function add<F extends Fields>(kind: Kind<F>, manifest: object): Promise<void> {
  const parsed = parseObject(kind, manifest, kind.namespaced ? { namespace: 'default' } : {});
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  await world.objects.create(kind, parsed.object);
}

const run = (...args: readonly string[]) => orc(args, { kubeconfig: world.kubeconfig });

describe('orc get', () => {
  it('shows the server’s table, aligned', async () => {
    const { code, out } = await run('get', 'pods');
    expect(code).toBe(0);
    expect(out.replaceAll(/\d+s\n/g, 'AGE\n').split('\n')).toEqual([
      'NAME    READY   STATUS    RESTARTS   AGE',
      'web-1   0/1     Pending   0          AGE',
      'web-2   0/1     Pending   0          AGE',
      '',
    ]);
  });

  it('shows several kinds with their names’ kinds, and all of them for all', async () => {
    const { out } = await run('get', 'deploy,svc');
    expect(out).toContain('deployment.apps/web');
    expect(out).toContain('\n\nNAME          TYPE');
    expect(out).toContain('service/web');
    expect((await run('get', 'all')).out).toContain('pod/web-1');
  });

  it('shows named objects, as a table, names, JSON or YAML', async () => {
    expect((await run('get', 'pod', 'web-2', '--no-headers')).out).toMatch(/^web-2 .*\n$/);
    expect((await run('get', 'deploy/web', 'svc/web', '-o', 'name')).out).toBe(
      'deployment.apps/web\nservice/web\n',
    );
    const one = JSON.parse((await run('get', 'cm', 'settings', '-o', 'json')).out) as object;
    expect(one).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap', data: { a: '1', b: '2' } });
    const list = JSON.parse((await run('get', 'pods', '-o', 'json')).out) as object;
    expect(list).toMatchObject({ kind: 'List', items: [{ kind: 'Pod' }, { kind: 'Pod' }] });
    expect(await run('get', 'cm/settings', '-o', 'yaml')).toMatchObject({
      ...{ code: 0, err: '' },
      out: expect.stringContaining('data:\n  a: "1"\n'),
    });
  });

  it('selects by label, field and namespace', async () => {
    expect((await run('get', 'po', '-l', 'app=none')).err).toBe(
      'no pods that match in namespace default\n',
    );
    const field = await run('get', 'po', '--field-selector', 'metadata.name=web-1', '-o', 'name');
    expect(field.out).toBe('pod/web-1\n');
    expect((await run('get', 'po', '-n', 'other')).err).toBe('no pods in namespace other\n');
    expect((await run('get', 'po', '-A')).out).toMatch(/^NAMESPACE +NAME[\s\S]*\ndefault +web-1/);
  });

  it('goes on with changes when watching', async () => {
    const watching = startOrc(['get', 'cm', '-w'], { kubeconfig: world.kubeconfig });
    try {
      await waitFor('the table', () => watching.out().includes('settings'));
      await add(ConfigMap, { metadata: { name: 'later' }, data: {} });
      await waitFor('the change', () => /\nlater +0 +\d+s\n/.test(watching.out()));
      // For others' readers it ends a line.
      await add(ConfigMap, { metadata: { name: 'odd', annotations: { text: 'a\u2028b' } } });
      await waitFor('the odd one', () => /\nodd +0 +\d+s\n/.test(watching.out()));
      const longName = 'longer-than-any-that-was-there';
      await add(ConfigMap, { metadata: { name: longName }, data: {} });
      await waitFor('a whole name', () => watching.out().includes(`\n${longName}   0 `));
    } finally {
      watching.child.kill('SIGINT');
      await watching.ended;
    }
  });

  it('shows headers with the first that comes when watching what is empty', async () => {
    const watching = startOrc(['get', 'limits', '-w'], { kubeconfig: world.kubeconfig });
    await waitFor('the start', () => watching.err() === 'no limitranges in namespace default\n');
    await add(LimitRange, { metadata: { name: 'first' }, spec: { limits: [] } });
    await waitFor('the first', () => /^NAME +CREATED AT\nfirst +/.test(watching.out()));
    watching.child.kill('SIGINT');
    await watching.ended;
  });

  it('names what isn’t there, and suggests kinds', async () => {
    expect(await run('get', 'pod', 'gone')).toEqual({
      ...{ code: 1, out: '' },
      err: 'orc: pods "gone" not found\n',
    });
    expect(await run('get', 'pdos')).toEqual({
      ...{ code: 2, out: '' },
      err: 'orc: there is no kind "pdos"; did you mean "pods"? (orc api-resources lists them)\n',
    });
  });

  it('paints states on a terminal, unless NO_COLOR says otherwise', async () => {
    const { kubeconfig } = world;
    const painted = await orc(['get', 'pods'], { kubeconfig, terminal: true });
    expect(painted.out).toContain('\u001b[33mPending\u001b[0m');
    const options = { kubeconfig, terminal: true, env: { NO_COLOR: '1' } };
    expect((await orc(['get', 'pods'], options)).out).not.toContain('\u001b');
  });
});

describe('orc describe', () => {
  it('tells of a pod, a node, a deployment and a service what there is to know', async () => {
    const pod = (await run('describe', 'pod', 'web-1')).out;
    expect(pod).toMatch(/^pod\/web-1 {3}in default\n[\s\S]*node +host1/);
    expect(pod).toMatch(/CONTAINERS\n[\s\S]*web {4}no {6}Waiting[\s\S]*web:1/);
    expect((await run('describe', 'node/host1')).out).toMatch(/PODS \(2\)\n[\s\S]*web-2/);
    expect((await run('describe', 'deploy/web')).out).toMatch(/strategy +RollingUpdate: 25%/);
    expect((await run('describe', 'svc/web')).out).toMatch(/ports +80\/TCP → 80/);
  });

  it('never shows what a Secret holds', async () => {
    const { out } = await run('describe', 'secret/key');
    expect(out).toContain('password: 4 bytes');
    expect(out).not.toContain('aHVzaA==');
  });
});

describe('orc events', () => {
  it('shows them in the order of their times, of one object if asked', async () => {
    const at = (seconds: number) => `2026-01-01T00:00:0${seconds}Z`;
    const event = (name: string, of: string, seconds: number) =>
      add(Event, {
        metadata: { name },
        involvedObject: { kind: 'Pod', name: of, namespace: 'default' },
        ...{ reason: 'Started', message: `of ${name}`, type: 'Normal' },
        lastTimestamp: at(seconds),
      });
    await event('second', 'web-1', 2);
    await event('first', 'web-1', 1);
    await event('other', 'web-2', 3);
    const { out } = await run('events');
    expect(out.match(/of \w+/g)).toEqual(['of first', 'of second', 'of other']);
    const one = await run('events', '--for', 'pod/web-2');
    expect(one.out.match(/of \w+/g)).toEqual(['of other']);
  });
});
