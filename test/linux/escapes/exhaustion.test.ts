import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ContainerMount } from '../../../agent/ports.ts';
import { noLimits } from '../../support/container-spec.ts';
import { rounds } from '../../support/rounds.ts';
import { openRuntimeHost, type RuntimeHost } from '../../support/runtime-host.ts';

const MI = 1024 * 1024;
const never = new AbortController().signal;
const memory = (memoryLimitBytes: number | undefined) => ({
  resources: { ...noLimits, memoryLimitBytes },
});

let host: RuntimeHost;
beforeAll(async () => {
  host = await openRuntimeHost();
  await host.sandbox();
});
afterAll(() => host.end());

const output = async (...args: Parameters<RuntimeHost['run']>) => (await host.run(...args)).output;

describe('a container that takes all its memory, again and again (37)', () => {
  it(
    'takes neither the shim nor the agent along, and each time it is told',
    async () => {
      const shim = host.shimPid('a');
      for (let i = 0; i < rounds(10); i++) {
        const { container } = await host.run('', {
          command: ['tail', '/dev/zero'],
          ...memory(16 * MI),
        });
        expect(container.exit).toMatchObject({ exitCode: 137, signal: 9, oomKilled: true });
      }
      expect(host.shimPid('a')).toBe(shim);
      expect(await host.runtime.sandboxes.find('a')).toMatchObject({ state: 'ready' });
    },
    rounds(60_000),
  );

  it('has no process of ours in its groups, nor above them in its pod’s', async () => {
    const id = { uid: 'a', name: 'idle', attempt: 0 };
    await host.runtime.containers.start(host.spec('exec sleep 1000', { id }), never);
    const groupsOf = (pid: number) =>
      readFileSync(`/proc/${pid}/cgroup`, 'utf8')
        .split('\n')
        .filter((line) => /^\d+:(memory|):/.test(line));
    const shim = groupsOf(host.shimPid('a'));
    const container = groupsOf((await host.state('idle'))!.pid);
    const shared = shim.filter((group) => container.some((other) => other.startsWith(group)));
    expect(shared.filter((group) => !group.endsWith(':/'))).toEqual([]);
    await host.runtime.containers.kill(id, 9);
  });
});

describe('what is written to /dev/shm (42)', () => {
  const fill = 'head -c 48m /dev/zero > /dev/shm/x; wc -c < /dev/shm/x; rm /dev/shm/x';

  it('counts as the container’s memory', async () => {
    const { container } = await host.run(fill, memory(32 * MI));
    expect(container.exit).toMatchObject({ oomKilled: true });
    await host.run('rm -f /dev/shm/x');
  });

  it('(is nobody’s without a limit)', async () => {
    expect(await output(fill, memory(undefined))).toEqual([String(48 * MI)]);
  });

  it('is at most 64 MiB for the whole pod', async () => {
    const lines = await output(
      'head -c 80m /dev/zero > /dev/shm/x 2>&1; wc -c < /dev/shm/x; rm /dev/shm/x',
    );
    expect(lines.at(-1)).toBe(String(64 * MI));
  });
});

describe('what a container writes to the files that it gets from us (48)', () => {
  /** Bytes on disk below the agent's directories; logs have limits of their own. */
  const onDisk = () =>
    ['data', 'run'].flatMap((name) => files(join(host.dir, name))).reduce((sum, n) => sum + n, 0);
  const files = (directory: string): readonly number[] =>
    readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return files(path);
      return entry.isFile() ? [statSync(path).blocks * 512] : [];
    });
  const ours = ['/etc/hosts', '/etc/hostname', '/etc/resolv.conf', '/dev/termination-log'];
  const fill = (path: string) => `head -c 16m /dev/zero >> ${path}; wc -c < ${path}`;

  it('is little, and never on the node’s disk', async () => {
    const before = onDisk();
    for (const path of ours) expect(Number((await output(fill(path))).at(-1))).toBeLessThan(3 * MI);
    expect(onDisk() - before).toBeLessThan(MI);
  });

  it('(as files of the disk, all of it)', async () => {
    mkdirSync(`${host.dir}/data/disk`);
    writeFileSync(`${host.dir}/data/disk/hosts`, '');
    chmodSync(`${host.dir}/data/disk/hosts`, 0o666);
    const before = onDisk();
    const at = { kind: 'directory', name: 'disk', path: `${host.dir}/data/disk` } as const;
    const source = { ...at, readOnly: false };
    const mountPath = '/etc/hosts';
    const mount: ContainerMount = { source, mountPath, subPath: 'hosts', readOnly: false };
    expect(await output(fill('/etc/hosts'), { mounts: [mount] })).toEqual([String(16 * MI)]);
    expect(onDisk() - before).toBeGreaterThan(15 * MI);
  });

  it('does not keep the agent from writing them anew', async () => {
    await output(fill('/etc/hostname'));
    await host.sandbox({ hosts: '10.244.0.5 pod-a\n' });
    expect(await output('cat /etc/hosts /etc/hostname')).toEqual(['10.244.0.5 pod-a', 'pod-a']);
  });
});

describe('processes with a terminal that fail to start (27)', () => {
  it(
    'leave no descriptor behind, here or in the shim',
    async () => {
      const id = { uid: 'a', name: 'main', attempt: 0 };
      await host.runtime.containers.start(host.spec('exec sleep 1000', { id }), never);
      const pids = [process.pid, host.shimPid('a')];
      const open = () => pids.map((pid) => readdirSync(`/proc/${pid}/fd`).length);
      const terminal = { columns: 80, rows: 24 };
      const request = { command: ['/missing'], stdin: true, terminal };
      const fail = async () => {
        const session = await host.runtime.containers.exec(id, request);
        await expect(session.exited).rejects.toMatchObject({ reason: 'StartError' });
      };
      await fail();
      const before = open();
      for (let i = 0; i < rounds(50); i++) await fail();
      await expect.poll(() => open().map((n, i) => Math.max(0, n - before[i]!))).toEqual([0, 0]);
    },
    rounds(60_000),
  );
});
