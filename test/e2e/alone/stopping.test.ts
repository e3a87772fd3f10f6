import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { orcProgram, startDevCluster } from '../../support/dev-cluster.ts';
import { lastingLeaks, type MachineState, observeMachine } from '../../support/leaks.ts';
import { deployment, helloContainer, service } from '../../support/manifests.ts';
import { readyPods } from '../../support/pod-states.ts';

let before: MachineState = {};
let dataDir = '';

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'orc-stop-'));
  before = await observeMachine();
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

const root = join(import.meta.dirname, '../../..');

/** Standard error and output are kept for the message of a failure. */
function startDev(...options: readonly string[]) {
  const args = ['--pdeathsig', 'KILL', '--', orcProgram, 'dev', '--nodes', '2', '--port', '0'];
  const child = spawn('setpriv', [...args, '--cache-dir', join(root, '.cache'), ...options]);
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
  const ended = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return {
    up: () => expect.poll(() => said, { timeout: 20_000 }).toContain('hosts up in'),
    async end(signal: NodeJS.Signals): Promise<{ readonly how: unknown; readonly said: string }> {
      child.kill(signal);
      const [code, by] = await ended;
      return { how: code ?? by, said };
    },
  };
}

describe('orc dev, ended by Ctrl-C', () => {
  it.for([0, 100, 250, 400, 600, 900, 1300, 1800])(
    'after %d ms of its start leaves nothing behind',
    async (afterMs) => {
      const dev = startDev('--registry');
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      const { how, said } = await dev.end('SIGINT');
      expect({ how, said }).toMatchObject({ how: expect.toBeOneOf([0, 'SIGINT', 130]) });
      expect(await lastingLeaks(before)).toEqual([]);
    },
  );

  it('when it is up leaves nothing but the directory that it was given', async () => {
    const dev = startDev('--data-dir', dataDir);
    await dev.up();
    expect(await dev.end('SIGINT')).toMatchObject({ how: 0 });
    expect(await lastingLeaks(before)).toEqual([]);
    expect(await readdir(dataDir)).toEqual(expect.arrayContaining(['controller', 'kubeconfig']));
  });

  it('while pods run and start leaves nothing behind', async () => {
    const { cluster, stop } = await startDevCluster({ nodes: 2 });
    await cluster.create(
      deployment('web', helloContainer(), { replicas: 4 }),
      service('web', 'http'),
    );
    await cluster.until('pods', readyPods('web', 4));
    await cluster.create(deployment('more', helloContainer(), { replicas: 6 }));
    await cluster.until('pods', (pods) => pods.length > 8);
    await stop();
    expect(await lastingLeaks(before)).toEqual([]);
  });
});

describe('orc dev, brought up again on the same directory', () => {
  it('has its objects again', async () => {
    const first = startDev('--data-dir', dataDir);
    await first.up();
    const get = async (...args: readonly string[]) => {
      const config = ['--kubeconfig', join(dataDir, 'kubeconfig')];
      const child = spawn(orcProgram, [...args, ...config], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let out = '';
      child.stdout.on('data', (chunk: Buffer) => {
        out += chunk.toString();
      });
      await once(child, 'close');
      return out;
    };
    const nodes = await get('get', 'nodes', '-o', 'name');
    expect(nodes.trim().split('\n')).toEqual(['node/host1', 'node/host2']);
    const json = JSON.parse(await get('get', 'nodes', '-o', 'json'));
    expect(await first.end('SIGINT')).toMatchObject({ how: 0 });
    const second = startDev('--data-dir', dataDir);
    await second.up();
    const again = JSON.parse(await get('get', 'nodes', '-o', 'json'));
    const uidOf = (list: { items: { metadata: { uid: string } }[] }) =>
      list.items.map(({ metadata }) => metadata.uid);
    expect(uidOf(again)).toEqual(uidOf(json));
    expect(await second.end('SIGTERM')).toMatchObject({ how: 0 });
    expect(await lastingLeaks(before)).toEqual([]);
  });
});

describe('orc dev, killed', () => {
  it('leaves no process, mount, namespace or interface; what is left are empty directories', async () => {
    const dev = startDev('--data-dir', dataDir);
    await dev.up();
    expect(await dev.end('SIGKILL')).toMatchObject({ how: 'SIGKILL' });
    let leaks = await lastingLeaks(before);
    const directories = leaks.filter((leak) => /^(cgroup|run-time file) /.test(leak));
    expect(leaks.filter((leak) => !directories.includes(leak))).toEqual([]);
    for (const leak of directories) {
      if (leak.startsWith('cgroup ')) await removeCgroups(leak.slice('cgroup '.length));
      else await rm(join('/run', leak.slice('run-time file '.length)), { recursive: true });
    }
    leaks = await lastingLeaks(before);
    expect(leaks).toEqual([]);
  });
});

/** Works only if no process is in them. */
async function removeCgroups(path: string): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true }))
    if (entry.isDirectory()) await removeCgroups(join(path, entry.name));
  await rmdir(path);
}
