import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { useDevCluster } from '../support/dev-cluster.ts';
import { findKubectls, type Kubectl, runKubectl } from '../support/kubectl.ts';
import { deployment, helloContainer } from '../support/manifests.ts';
import { readyPods } from '../support/pod-states.ts';

const kubectls = findKubectls();
const noKubectl = [{ version: '(none)', path: '' }];

describe.for(kubectls.length > 0 ? kubectls : noKubectl)('kubectl $version', (kubectl) => {
  const cluster = useDevCluster({ nodes: 2 });
  const name = 'web';
  let cacheDir = '';

  beforeAll(async () => {
    cacheDir = await mkdtemp(join(tmpdir(), 'orc-kubectl-'));
  });
  afterAll(() => rm(cacheDir, { recursive: true, force: true }));

  const run = (args: readonly string[], input?: string) => {
    const options = { kubeconfig: cluster().kubeconfig, cacheDir };
    return runKubectl(kubectl, args, input === undefined ? options : { ...options, input });
  };
  beforeEach(({ skip }) => skip(kubectl.path === '', 'kubectl not found'));

  it('applies a manifest, twice, and waits for its rollout', async () => {
    const manifest = JSON.stringify(deployment(name, helloContainer(), { replicas: 2 }));
    const first = await run(['apply', '-f', '-'], manifest);
    expect(first).toMatchObject({ code: 0, out: `deployment.apps/${name} created\n` });
    const second = await run(['apply', '-f', '-'], manifest);
    expect(second).toMatchObject({ code: 0, out: `deployment.apps/${name} unchanged\n` });
    const rollout = await run(['rollout', 'status', `deployment/${name}`, '--timeout=60s']);
    expect(rollout.out).toContain('successfully rolled out');
  });

  it('lists nodes and pods', async () => {
    const nodes = await run(['get', 'nodes']);
    expect(nodes.out).toMatch(/^NAME +STATUS +ROLES +AGE +VERSION\nhost1 +Ready .*\nhost2 +Ready /);
    const pods = await run(['get', 'pods', '-o', 'wide']);
    expect(pods.out).toMatch(/^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE/);
    expect(pods.out.match(/ 1\/1 +Running +0 .* host[12] /g)).toHaveLength(2);
  });

  it('scales while another watches', async () => {
    const watch = watching(kubectl, [
      '--kubeconfig',
      cluster().kubeconfig,
      '--cache-dir',
      cacheDir,
    ]);
    try {
      await watch.saw(/1\/1 +Running/);
      const scaled = await run(['scale', `deployment/${name}`, '--replicas=3']);
      expect(scaled).toMatchObject({ code: 0 });
      await watch.saw(/0\/1 +(Pending|ContainerCreating)/);
      await cluster().until('pods', readyPods(name, 3));
      await watch.saw(/(1\/1 +Running[\s\S]*){3}/);
    } finally {
      await watch.end();
    }
  });

  it('describes a pod, follows its log and runs a command in it', async () => {
    const [pod] = await cluster().until('pods', readyPods(name, 3));
    const podName = pod?.metadata?.name ?? '';
    const described = await run(['describe', 'pod', podName]);
    expect(described.out).toMatch(/Node: +host[12]\/172\.30\.0\.1[12]/);
    expect(described.out).toMatch(/Normal +Started /);
    const logs = await run(['logs', podName, '--tail=1']);
    expect(logs).toMatchObject({ code: 0, out: 'hello listens on port 8080\n' });
    const failed = await run(['exec', podName, '--', 'sh', '-c', 'echo out; echo err >&2; exit 3']);
    expect(failed).toMatchObject({ code: 3, out: 'out\n', err: expect.stringMatching(/^err\n/) });
    const typed = await run(['exec', '-i', podName, '--', 'wc', '-c'], 'x'.repeat(100_000));
    expect(typed.out.trim()).toBe('100000');
  });

  it('deletes, and waits until it is gone', async () => {
    const deleted = await run(['delete', 'deployment', name, '--timeout=30s']);
    expect(deleted).toMatchObject({ code: 0, out: expect.stringContaining('deleted') });
    await cluster().until('pods', (pods) => pods.length === 0);
    expect(await run(['get', 'deployment', name])).toMatchObject({
      code: 1,
      err: expect.stringContaining(`deployments.apps "${name}" not found`),
    });
  });
});

/** `kubectl get pods -w`, for as long as it is wanted. */
function watching({ path }: Kubectl, options: readonly string[]) {
  const child = spawn(path, [...options, 'get', 'pods', '-o', 'wide', '-w']);
  let seen = '';
  child.stdout.on('data', (chunk: Buffer) => {
    seen += chunk.toString();
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  return {
    saw: (pattern: RegExp) => expect.poll(() => seen, { timeout: 15_000 }).toMatch(pattern),
    async end() {
      child.kill();
      await ended;
    },
  };
}
