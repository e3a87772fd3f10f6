import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { useDevCluster } from '../support/dev-cluster.ts';

/** The life of the examples in manifests/, each step by `orc`, in this order. */
const cluster = useDevCluster();

const manifests = join(import.meta.dirname, '../../manifests');
const orc = (...args: readonly string[]) => cluster().orc(...args);

it('applies the examples and waits until they run', async () => {
  const applied = await orc('apply', '-f', manifests, '--wait');
  expect(applied).toMatchObject({ code: 0 });
  const again = await orc('apply', '-f', manifests, '--wait');
  expect(again.out).not.toMatch(/created|configured/);
});

it('shows the pods, their nodes and addresses', async () => {
  const { code, out } = await orc('get', 'pods', '-o', 'wide');
  const lines = out.trimEnd().split('\n');
  expect({ code, lines }).toMatchObject({ code: 0, lines: { length: 7 } });
  for (const line of lines.slice(1))
    expect(line).toMatch(/1\/1 +Running .* 10\.24\d\..* host[123]/);
});

it('runs a command in a pod of the Deployment, with its exit code', async () => {
  const answer = await orc('exec', 'deploy/hello', '--', 'wget', '-qO-', 'http://hello.default');
  expect(answer).toMatchObject({ code: 0, out: expect.stringMatching(/^hello from/) });
  expect(await orc('exec', 'deploy/hello', '--', 'sh', '-c', 'exit 4')).toMatchObject({ code: 4 });
});

it('shows what a container printed, and what happened', async () => {
  expect((await orc('logs', 'deploy/hello')).out).toContain('hello listens on port 8080');
  expect((await orc('events')).out).toMatch(/Scheduled/);
  expect((await orc('describe', 'deployment', 'hello')).out).toMatch(/ScalingReplicaSet/);
});

it('scales', async () => {
  expect(await orc('scale', 'deployment/hello', '--replicas', '2')).toMatchObject({ code: 0 });
  await cluster().until('pods', (pods) => pods.length === 2);
});

it('names file, line and field of a mistake, and changes nothing', async () => {
  const file = join(cluster().dataDir, 'mistaken.yaml');
  const manifest = [
    'apiVersion: v1',
    'kind: Pod',
    'metadata: { name: mistaken }',
    'spec:',
    '  containers:',
    '    - name: main',
    '      imagee: registry:5000/hello:1',
  ];
  await writeFile(file, manifest.join('\n'));
  const { code, out, err } = await orc('apply', '-f', file);
  expect(code).not.toBe(0);
  expect(`${out}${err}`).toMatch(/mistaken\.yaml:7.*imagee/);
  expect(await orc('get', 'pod', 'mistaken')).toMatchObject({ code: 1 });
});

it('deletes the examples and waits until they are gone', async () => {
  expect(await orc('delete', '-f', manifests)).toMatchObject({ code: 0 });
  await cluster().until('pods', (pods) => pods.length === 0, 10_000);
});
