import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Pod } from '../../../../api/pod.ts';
import { parseObject } from '../../../../api/prepare.ts';
import {
  findKubectls,
  type Kubectl,
  type KubectlOptions,
  type KubectlRun,
  runKubectl,
  startKubectl,
} from '../../../support/kubectl.ts';
import { localPodAccess } from '../../../support/local-pod-access.ts';
import { openTlsWorld, type TlsWorld } from '../../../support/tls-world.ts';
import { waitFor } from '../../../support/wait-for.ts';

/** Unmodified kubectls against a real server over TLS. What they send differs by version: so all of them. */
const kubectls = findKubectls();

let world: TlsWorld;

beforeAll(async () => {
  world = await openTlsWorld({ podAccess: localPodAccess() });
  await addPod('web');
});

afterAll(() => world.close());

async function addPod(name: string): Promise<void> {
  const parsed = parseObject(Pod, {
    metadata: { name, namespace: 'default' },
    spec: { nodeName: 'n1', containers: [{ name: 'web', image: 'web:1' }] },
  });
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  await world.objects.create(Pod, parsed.object);
}

const manifest = (name: string, image = 'web:1') => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, labels: {app: ${name}}}
spec:
  replicas: 2
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      containers: [{name: web, image: "${image}", ports: [{containerPort: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {selector: {app: ${name}}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: ${name}}
data: {key: "1"}
`;

it.skipIf(kubectls.length === 0)('needs a kubectl.1.x in PATH or in KUBECTL_DIR', () => {
  expect(kubectls.map(({ version }) => version)).not.toEqual([]);
});

describe.each(kubectls)('kubectl $version', (kubectl: Kubectl) => {
  const name = `v${kubectl.version.replace('.', '-')}`;
  let options: KubectlOptions;

  beforeAll(() => {
    options = { kubeconfig: world.kubeconfig, cacheDir: join(world.dir, name) };
  });

  const run = (args: string, input?: string | Buffer) => runArgs(args.split(' '), input);
  const runArgs = (args: readonly string[], input?: string | Buffer): Promise<KubectlRun> =>
    runKubectl(kubectl, args, input === undefined ? options : { ...options, input });
  const ok = async (args: string, input?: string | Buffer): Promise<string> => {
    const { code, out, err } = await run(args, input);
    expect({ args, code, err: code === 0 ? '' : err }).toEqual({ args, code: 0, err: '' });
    return out;
  };
  const jsonPath = async (what: string, path: string) => ok(`get ${what} -o jsonpath={${path}}`);

  it('applies, shows the difference, applies a change, and leaves an unchanged object alone', async () => {
    const created = await ok('apply -f -', manifest(name));
    expect(created.match(/created/g)).toHaveLength(3);
    expect(await ok('apply -f -', manifest(name))).not.toContain('configured');
    const diff = await run('diff -f -', manifest(name, 'web:2'));
    expect(diff).toMatchObject({ code: 1, out: expect.stringContaining('+      - image: web:2') });
    const dry = await ok('apply --dry-run=server -f -', manifest(name, 'web:2'));
    expect(dry).toContain('configured (server dry run)');
    expect(await jsonPath(`deploy/${name}`, '.spec.template.spec.containers[0].image')).toBe(
      'web:1',
    );
    expect(await ok('apply -f -', manifest(name, 'web:2'))).toContain('configured');
    expect(await jsonPath(`deploy/${name}`, '.spec.template.spec.containers[*].image')).toBe(
      'web:2',
    );
    expect(await jsonPath(`deploy/${name}`, '.metadata.generation')).toBe('2');
  });

  it('applies on the server', async () => {
    const yaml = manifest(`${name}-ssa`);
    expect(await ok('apply --server-side -f -', yaml)).toContain('serverside-applied');
    const before = await jsonPath(`deploy/${name}-ssa`, '.metadata.resourceVersion');
    await ok('apply --server-side -f -', yaml);
    expect(await jsonPath(`deploy/${name}-ssa`, '.metadata.resourceVersion')).toBe(before);
    await ok(`delete deploy,svc,cm ${name}-ssa`);
  });

  it('shows tables, wide ones, selections, and what explains a field', async () => {
    expect(await ok(`get deploy ${name}`)).toMatch(/^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\n/);
    expect(await ok(`get deploy ${name} -o wide`)).toMatch(/AGE +CONTAINERS +IMAGES +SELECTOR\n/);
    expect(await ok('get cm -l !app -o name')).toContain(`configmap/${name}`);
    expect(await ok(`get all -A --field-selector metadata.name=${name} -o name`)).toContain(
      `service/${name}`,
    );
    expect(await ok('get cm --sort-by=.metadata.name -o name')).toContain(name);
    expect(await ok('explain deployment.spec.replicas')).toMatch(/FIELD: replicas <integer>/);
    expect(await ok(`describe deploy ${name}`)).toMatch(/Replicas: +2 desired/);
    expect(await ok('api-resources --api-group=apps -o name')).toBe(
      'deployments.apps\nreplicasets.apps\n',
    );
  });

  it('changes: patch in three ways, label, annotate, scale, set image, replace', async () => {
    await ok(`patch deploy ${name} -p {"spec":{"replicas":3}}`);
    await ok(`patch deploy ${name} --type=merge -p {"spec":{"minReadySeconds":1}}`);
    await ok(
      `patch deploy ${name} --type=json -p [{"op":"replace","path":"/spec/minReadySeconds","value":2}]`,
    );
    await ok(`label deploy ${name} tier=front`);
    await ok(`annotate deploy ${name} note=x`);
    await ok(`set image deploy/${name} web=web:3`);
    await ok(`scale deploy ${name} --replicas=5`);
    await ok(`scale deploy ${name} --current-replicas=5 --replicas=4`);
    const { metadata, spec } = JSON.parse(await ok(`get deploy ${name} -o json`));
    expect([spec.replicas, spec.minReadySeconds, spec.template.spec.containers[0].image]).toEqual([
      4,
      2,
      'web:3',
    ]);
    expect(metadata.labels).toEqual({ app: name, tier: 'front' });
    const yaml = await ok(`get cm ${name} -o yaml`);
    await ok('replace -f -', yaml.replace('"1"', '"2"'));
    expect(await jsonPath(`cm/${name}`, '.data.key')).toBe('2');
    const stale = await run('replace -f -', yaml);
    expect(stale.err).toContain('the object has been modified');
  });

  it('says what is wrong with a manifest, by path', async () => {
    const typo = await run(
      'apply -f -',
      manifest(`${name}-typo`).replace('replicas: 2', 'replcas: 2'),
    );
    expect(typo.code).toBe(1);
    expect(typo.err).toContain('spec.replcas');
    const missing = await run('get cm nothing');
    expect(missing.err).toBe('Error from server (NotFound): configmaps "nothing" not found\n');
    await run(`delete svc,cm ${name}-typo`);
  });

  it('waits for a rollout by watching', async () => {
    const waiting = ok(`rollout status deploy/${name} --timeout=20s`);
    const { metadata } = JSON.parse(await ok(`get deploy ${name} -o json`));
    const counts = { replicas: 4, updatedReplicas: 4, readyReplicas: 4, availableReplicas: 4 };
    const status = { observedGeneration: metadata.generation, ...counts };
    await ok(
      `patch deploy ${name} --subresource=status --type=merge -p ${JSON.stringify({ status })}`,
    );
    expect(await waiting).toContain('successfully rolled out');
  });

  it('watches: prints each change as it comes', async () => {
    const watching = startKubectl(kubectl, ['get', 'cm', name, '-w', '--show-labels'], options);
    const printed = (what: string) => waitFor(what, () => watching.out().includes(what), 10_000);
    try {
      await printed('<none>');
      await ok(`label cm ${name} seen=once`);
      await printed('seen=once');
      await ok(`label cm ${name} seen=twice --overwrite`);
      await printed('seen=twice');
    } finally {
      watching.stop();
      await watching.ended;
    }
  });

  it('reads logs', async () => {
    expect(await ok('logs web --tail=2')).toBe('line 1\nline 2\n');
  });

  it('runs commands: output, errors, the exit code, input to its end', async () => {
    const shell = ['exec', 'web', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3'];
    expect(await runArgs(shell)).toMatchObject({
      code: 3,
      out: 'out\n',
      err: expect.stringContaining('err\n'),
    });
    expect(await ok('exec -i web -- cat', 'through and back')).toBe('through and back');
    const missing = await run('exec nothing -- true');
    expect(missing.err).toContain('pods "nothing" not found');
  });

  it('attaches to what runs, with input, and is not told its exit code', async () => {
    expect(await ok('attach -i -q web', 'to and fro\n')).toContain('to and fro\n');
  });

  it('moves megabytes through exec both ways', async () => {
    const megabytes = 8 * 1024 * 1024;
    expect((await ok(`exec web -- head -c ${megabytes} /dev/zero`)).length).toBe(megabytes);
    const counted = await ok('exec -i web -- wc -c', Buffer.alloc(megabytes, 'x'));
    expect(counted.trim()).toBe(String(megabytes));
  });

  it('deletes, but not in a dry run, and waits until it is gone', async () => {
    await ok(`delete deploy ${name} --dry-run=server`);
    await ok(`delete deploy,svc,cm ${name} --wait`);
    expect((await run(`get deploy ${name}`)).err).toContain('not found');
  });
});
