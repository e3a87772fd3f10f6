import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../api/config-map.ts';
import { Deployment } from '../../../api/deployment.ts';
import type { Kind } from '../../../api/kind.ts';
import { Node } from '../../../api/node.ts';
import { Pod } from '../../../api/pod.ts';
import { parseObject } from '../../../api/prepare.ts';
import { ReplicaSet } from '../../../api/replica-set.ts';
import type { Fields } from '../../../api/schema.ts';
import { verbs } from '../../../cli/verbs.ts';
import { localPodAccess } from '../../support/local-pod-access.ts';
import { orc, startOrc } from '../../support/orc-cli.ts';
import { openTlsWorld, type TlsWorld } from '../../support/tls-world.ts';
import { waitFor } from '../../support/wait-for.ts';

let world: TlsWorld;

beforeAll(async () => {
  world = await openTlsWorld({ podAccess: localPodAccess() });
});

afterAll(() => world.close());

const run = (...args: readonly string[]) => orc(args, { kubeconfig: world.kubeconfig });
const place = (name: string) => ({ namespace: 'default', name });

async function add<F extends Fields>(kind: Kind<F>, manifest: object) {
  const parsed = parseObject(kind, manifest, { namespace: 'default' });
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  return world.objects.create(kind, parsed.object);
}

const template = (image: string) => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'web', image }] },
});

const addDeployment = (name: string) =>
  add(Deployment, {
    metadata: { name, annotations: { 'deployment.kubernetes.io/revision': '2' } },
    spec: { replicas: 1, selector: { matchLabels: { app: 'web' } }, template: template('web:2') },
  });

/** As the Deployment's controller would. */
const setStatus = (name: string, status: Deployment['status']) =>
  world.objects.modify(Deployment, { key: place(name), part: 'status' }, (stored) => ({
    ...stored,
    status: { observedGeneration: stored.metadata.generation ?? 1, ...status },
  }));

const all = (count: number) => ({
  replicas: count,
  updatedReplicas: count,
  readyReplicas: count,
  availableReplicas: count,
});

const both = 'give names or what selects them, such as -l LABELS: not both';
const files = 'give files, or names, or what selects them: not several of these';

describe('orc delete', () => {
  const addConfigMaps = (...names: readonly string[]) =>
    Promise.all(
      names.map((name) => add(ConfigMap, { metadata: { name, labels: { of: 'test' } }, data: {} })),
    );

  it('deletes by name, by label and by file', async () => {
    await addConfigMaps('a', 'b', 'c', 'd');
    expect(await run('delete', 'cm', 'a', 'b')).toEqual({
      ...{ code: 0, out: 'configmap/a deleted\nconfigmap/b deleted\n', err: '' },
    });
    const path = join(world.dir, 'c.yaml');
    await writeFile(path, 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n');
    expect((await run('delete', '-f', path)).out).toBe('configmap/c deleted\n');
    expect((await run('delete', 'cm', '-l', 'of=test')).out).toBe('configmap/d deleted\n');
    expect(world.cache.list(ConfigMap, 'default')).toEqual([]);
  });

  it.each([
    [['delete', 'cm', 'a', '--all'], both],
    [['delete', '-f', 'x.yaml', 'cm', 'a'], files],
    [['delete', '-f', 'x.yaml', '-l', 'a=b'], files],
    [['get', 'cm', 'a', '-l', 'a=b'], both],
    [['get', 'cm/a', '--field-selector', 'metadata.name=b'], both],
    [['describe', 'cm/a', '-l', 'a=b'], both],
    [['top', 'pods', 'a', '-l', 'a=b'], both],
    [['delete', 'cm', ''], 'the name of a configmap is empty'],
    [['get', ''], 'say what: a kind, or KIND/NAME'],
  ])('refuses %j, of which something would be without effect', async (words, why) => {
    expect(await run(...words)).toEqual({ code: 2, out: '', err: `orc: ${why}\n` });
  });

  it('waits until what takes its time is gone', async () => {
    await add(Pod, {
      metadata: { name: 'slow' },
      spec: { nodeName: 'n1', containers: [{ name: 'web', image: 'web:1' }] },
    });
    const running = startOrc(['delete', 'pod', 'slow'], { kubeconfig: world.kubeconfig });
    await waitFor('the mark', () => running.out().includes('pod/slow deleted'));
    expect(running.child.exitCode).toBe(null);
    await world.objects.delete(Pod, place('slow'), { gracePeriodSeconds: 0 });
    expect(await running.ended).toEqual({ code: 0, out: 'pod/slow deleted\n', err: '' });
  });

  it('gives up waiting when time is up, and says what goes on', async () => {
    await add(Pod, {
      metadata: { name: 'stays' },
      spec: { nodeName: 'n1', containers: [{ name: 'web', image: 'web:1' }] },
    });
    const { code, err } = await run('delete', 'pod/stays', '--timeout', '100ms');
    expect({ code, err }).toEqual({
      code: 1,
      err: 'orc: time is up: still ending: pod/stays; they go on without this command\n',
    });
    await world.objects.delete(Pod, place('stays'), { gracePeriodSeconds: 0 });
  });

  it('fails for what isn’t there, unless told not to mind', async () => {
    expect(await run('delete', 'cm/gone')).toEqual({
      ...{ code: 1, out: '', err: 'orc: configmaps "gone" not found\n' },
    });
    expect((await run('delete', 'cm/gone', '--ignore-not-found')).code).toBe(0);
    expect(await run('delete', 'cm')).toEqual({
      ...{ code: 2, out: '', err: 'orc: say which configmaps: names, -l LABELS or --all\n' },
    });
  });
});

describe('orc scale and orc rollout', () => {
  it('scales, and waits until the pods are ready', async () => {
    await addDeployment('web');
    const scaling = startOrc(['scale', 'deploy/web', '--replicas', '3'], {
      kubeconfig: world.kubeconfig,
    });
    await waitFor('the change', () => scaling.out().includes('scaled to 3'));
    await setStatus('web', all(3));
    const { code, out } = await scaling.ended;
    expect(code).toBe(0);
    expect(out).toMatch(/^deployment\.apps\/web scaled to 3\nrollout +3\/3 ready in .* s\n$/);
  });

  it('names the pod that fails, why, and its last words when the rollout is stuck', async () => {
    await addDeployment('bad');
    await add(Pod, {
      metadata: { name: 'bad-1', labels: { app: 'web' } },
      spec: { nodeName: 'n1', containers: [{ name: 'web', image: 'web:1' }] },
    });
    await world.objects.modify(Pod, { key: place('bad-1'), part: 'status' }, (pod) => ({
      ...pod,
      status: { ...pod.status, containerStatuses: [crashing] },
    }));
    const stuck = { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' };
    await setStatus('bad', {
      conditions: [
        { ...stuck, message: 'It has timed out.' },
      ] as Deployment['status']['conditions'],
    });
    const { code, out, err } = await run('rollout', 'status', 'deploy/bad');
    expect(code).toBe(1);
    expect(out).toMatch(/^rollout +0\/1 ready in .* s · bad-1 CrashLoopBackOff\n$/);
    expect(err.split('\n')).toEqual([
      'It has timed out.',
      'pod/bad-1 CrashLoopBackOff: exit 1, "line 1" (last line of its log)',
      'orc: no progress any more; orc rollout undo deploy/bad takes it back',
      '',
    ]);
  });

  it('restarts by a new template', async () => {
    await addDeployment('again');
    expect((await run('rollout', 'restart', 'deploy/again', '--no-wait')).out).toBe(
      'deployment.apps/again restarted\n',
    );
    const stored = world.cache.get(Deployment, place('again')) as Deployment;
    const { annotations = {} } = stored.spec.template.metadata;
    expect(annotations['kubectl.kubernetes.io/restartedAt']).toMatch(/^\d{4}-.*Z$/);
  });

  it('changes no template of a deployment that is paused, which would wait', async () => {
    await addDeployment('held');
    await run('rollout', 'pause', 'deploy/held');
    for (const verb of ['restart', 'undo'])
      expect(await run('rollout', verb, 'deploy/held')).toEqual({
        ...{ code: 1, out: '' },
        err: 'orc: deployment.apps/held is paused: orc rollout resume deploy/held first\n',
      });
  });

  it('shows revisions, and goes back to the one before', async () => {
    const { metadata } = await addDeployment('old');
    for (const revision of ['1', '2'])
      await add(ReplicaSet, {
        metadata: {
          name: `old-${revision}`,
          annotations: { 'deployment.kubernetes.io/revision': revision },
          labels: { app: 'web' },
          ownerReferences: [
            { apiVersion: 'apps/v1', kind: 'Deployment', name: 'old', uid: metadata.uid },
          ],
        },
        spec: { selector: { matchLabels: { app: 'web' } }, template: template(`web:${revision}`) },
      });
    expect((await run('rollout', 'history', 'deploy/old')).out).toMatch(
      /^REVISION.*\n1 +web:1.*\n2 +web:2 .* now\n$/,
    );
    expect((await run('rollout', 'undo', 'deploy/old', '--no-wait')).out).toBe(
      'deployment.apps/old goes back to revision 1\n',
    );
    const stored = world.cache.get(Deployment, place('old')) as Deployment;
    expect(stored.spec.template.spec.containers[0]?.image).toBe('web:1');
    expect((await run('rollout', 'undo', 'deploy/old', '--to-revision', '9')).err).toBe(
      'orc: deployment/old has no revision 9 (orc rollout history lists them)\n',
    );
  });
});

const crashing = {
  ...{ name: 'web', image: 'web:1', imageID: '', ready: false, restartCount: 2 },
  state: { waiting: { reason: 'CrashLoopBackOff' } },
  lastState: { terminated: { exitCode: 1 } },
};

describe('orc', () => {
  it('shows versions, kinds, and helps that begin with examples and fit a screen', async () => {
    expect((await run('version', '--client')).out).toMatch(/^orc \d+\.\d+\.\d+\n$/);
    expect((await run('version')).out).toContain(`controller at https://127.0.0.1:${world.port}`);
    expect((await run('api-resources', '-o', 'name')).out).toContain('deployments.apps\n');
    const all = (await run('--help')).out;
    for (const verb of Object.keys(verbs)) {
      expect(all).toMatch(new RegExp(`^ {2}${verb} +[a-z]`, 'm'));
      const { code, out } = await run(verb, '--help');
      expect({ verb, code }).toEqual({ verb, code: 0 });
      const lines = out.split('\n');
      expect(lines.slice(0, 2).every((line) => line.startsWith(`  orc ${verb}`))).toBe(true);
      expect(lines.length).toBeLessThanOrEqual(25);
    }
  });

  it('helps with what is asked about, and says where help is when words are wrong', async () => {
    expect((await run('--version')).out).toBe((await run('version', '--client')).out);
    expect((await run('help', 'get')).out).toBe((await run('get', '--help')).out);
    expect((await run('help', 'dev')).out).toMatch(/^orc dev: a real cluster/);
    expect((await run('help', 'gett')).err).toMatch(/^orc: "gett" is not something .* "orc get"/);
    expect((await run('get')).err).toBe(
      "orc: missing required argument 'what' (orc get --help shows how)\n",
    );
    expect((await run('get', 'po', '--watc')).err).toBe(
      "orc: unknown option '--watc'; Did you mean --watch? (orc get --help shows how)\n",
    );
  });

  it('takes the flags that every verb has before the verb too', async () => {
    const { out } = await orc(['--kubeconfig', world.kubeconfig, '-n', 'other', 'get', 'cm']);
    expect(out).toBe('');
  });

  it('takes an empty namespace for the context’s, not for all', async () => {
    expect((await run('get', 'limits', '-n', '')).err).toBe(
      'no limitranges in namespace default\n',
    );
  });

  it('suggests the verb that was meant', async () => {
    expect(await run('descrbe', 'pods')).toEqual({
      ...{ code: 2, out: '' },
      err: 'orc: "descrbe" is not something orc does; did you mean "orc describe"? (orc --help lists what it does)\n',
    });
  });

  it('says where it looked for a kubeconfig, and whether the controller answers', async () => {
    const none = await orc(['get', 'pods'], { kubeconfig: '/no/such/file' });
    expect(none.code).toBe(1);
    expect(none.err).toMatch(/^orc: no kubeconfig: none of \/no\/such\/file is there; start/);
    const port = await unusedPort();
    const kubeconfig = join(world.dir, 'elsewhere');
    const text = await readFile(world.kubeconfig, 'utf8');
    await writeFile(kubeconfig, text.replace(`:${world.port}`, `:${port}`));
    const { code, err } = await orc(['get', 'pods'], { kubeconfig });
    expect({ code, err }).toEqual({
      code: 1,
      err: `orc: the controller at https://127.0.0.1:${port} doesn't answer: is it running?\n`,
    });
  });
});

/** One that somebody had until just now. */
async function unusedPort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('orc drain', () => {
  const addPod = (
    name: string,
    nodeName: string,
    rest: { spec?: object; metadata?: object } = {},
  ) =>
    add(Pod, {
      metadata: { name, ...rest.metadata },
      spec: { nodeName, containers: [{ name: 'web', image: 'web:1' }], ...rest.spec },
    });
  const ownerReferences = [
    { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs', uid: 'u1', controller: true },
  ];
  const isCordoned = (name: string) =>
    world.cache.get(Node, { namespace: '', name })?.spec.unschedulable;

  beforeAll(() => Promise.all(['d1', 'd2'].map((name) => add(Node, { metadata: { name } }))));

  it('marks and unmarks nodes, and says what was so already', async () => {
    expect((await run('cordon', 'd1', 'node/d2')).out).toBe('node/d1 cordoned\nnode/d2 cordoned\n');
    expect((await run('cordon', 'd1')).out).toBe('node/d1 already cordoned\n');
    expect((await run('uncordon', 'd1', 'd2')).out).toBe(
      'node/d1 uncordoned\nnode/d2 uncordoned\n',
    );
    await waitFor('the cache', () => isCordoned('d1') !== true);
  });

  it('takes nothing if something would be lost, says what, and lets itself be told to', async () => {
    await addPod('made', 'd1', { metadata: { ownerReferences } });
    await addPod('bare', 'd1', { spec: { volumes: [{ name: 'v', emptyDir: {} }] } });
    await addPod('elsewhere', 'd2');
    expect(await run('drain', 'd1')).toEqual({
      code: 1,
      out: 'node/d1 cordoned\n',
      err:
        'orc: pod default/bare: nothing makes it anew (--force takes it all the same)\n' +
        'orc: pod default/bare: what is in its emptyDir gets lost (--delete-emptydir-data allows it)\n' +
        'nothing was evicted; the nodes stay cordoned\n',
    });
    expect(isCordoned('d1')).toBe(true);
    const args = ['drain', 'd1', '--force', '--delete-emptydir-data'];
    const running = startOrc(args, { kubeconfig: world.kubeconfig });
    await waitFor('the marks', () => running.out().match(/evicted/g)?.length === 2);
    expect(running.child.exitCode).toBe(null);
    for (const name of ['made', 'bare'])
      await world.objects.delete(Pod, place(name), { gracePeriodSeconds: 0 });
    expect(await running.ended).toEqual({
      code: 0,
      out: 'node/d1 already cordoned\npod/bare evicted\npod/made evicted\nnode/d1 drained\n',
      err: '',
    });
    await world.objects.delete(Pod, place('elsewhere'), { gracePeriodSeconds: 0 });
  });

  it('gives up when time is up', async () => {
    await addPod('made', 'd1', { metadata: { ownerReferences } });
    const { code, err } = await run('drain', 'd1', '--timeout', '100ms');
    expect({ code, err }).toMatchObject({ code: 1, err: expect.stringContaining('pod/made') });
    await world.objects.delete(Pod, place('made'), { gracePeriodSeconds: 0 });
  });
});
