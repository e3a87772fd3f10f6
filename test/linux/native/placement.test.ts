import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordNetlink } from '../../../agent/kernel/netlink.ts';
import type { Op } from '../../../agent/kernel/op.ts';
import { ensureAddress, putRoute, setLinkUp } from '../../../agent/kernel/rtnetlink.ts';
import {
  createSandbox,
  execIn,
  execOps,
  logPath,
  messages,
  type NativePod,
  noStreams,
  overlayRoot,
  rootOps,
  runContainer,
  startContainer,
  startPod,
} from '../../support/native-pod.ts';

let pod: NativePod;

beforeEach(async () => {
  pod = await startPod();
  await createSandbox(pod);
  await pod.shim.run(overlayRoot(pod));
});

afterEach(() => pod.end());

/** Where hierarchies are mounted here: the v2 tree, and the v1 tree of pids. */
const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
const mountOf = (kind: RegExp) => mounts.find((line) => kind.test(line))?.split(' ')[4];
const v2 = mountOf(/ - cgroup2 /);
const v1 = mountOf(/ - cgroup .*\bpids\b/);

/** A group of the test's own, removed when its processes are gone. */
async function withGroup(tree: string, use: (dir: string) => Promise<void>): Promise<void> {
  const dir = `${tree}/orc-native-${randomUUID()}`;
  mkdirSync(dir);
  try {
    await use(dir);
  } finally {
    await expect
      .poll(() => readFileSync(`${dir}/cgroup.procs`, 'utf8'), { timeout: 30_000 })
      .toBe('');
    rmdirSync(dir);
  }
}

const pidsIn = (dir: string) => readFileSync(`${dir}/cgroup.procs`, 'utf8').trim().split('\n');
const attach = (dir: string): Op => ({
  op: 'write',
  path: `${dir}/cgroup.procs`,
  bytes: Buffer.from('0'),
});

describe.runIf(v2 !== undefined)('on cgroup v2', () => {
  it('clones a container straight into its group', async () => {
    await withGroup(v2!, async (dir) => {
      const { pid } = await pod.shim.start({
        container: 'c',
        cgroup2Dir: dir,
        logPath: logPath(pod, 'c'),
        logMaxBytes: 1_000,
        logMaxFiles: 2,
        ...noStreams,
        ops: [...rootOps(pod), ...execOps(['sleep', '1000'])],
      });
      expect(pidsIn(dir)).toEqual([String(pid)]);
      await pod.shim.kill('c', 9);
    });
  });

  it('clones a process of exec straight into the group, too', async () => {
    await withGroup(v2!, async (dir) => {
      await startContainer(pod, { container: 'c', argv: ['sleep', '1000'] });
      const session = await execIn(pod, 'c', { argv: ['sleep', '1000'], cgroup2Dir: dir });
      await expect.poll(() => pidsIn(dir).filter((pid) => pid !== '')).toHaveLength(1);
      session.close();
      await pod.shim.kill('c', 9);
    });
  });

  it('says that the group is not there', async () => {
    const start = pod.shim.start({
      container: 'c',
      cgroup2Dir: `${v2}/absent`,
      logPath: logPath(pod, 'c'),
      logMaxBytes: 1_000,
      logMaxFiles: 2,
      ...noStreams,
      ops: execOps(['true']),
    });
    await expect(start).rejects.toThrow('start c: open cgroup: ENOENT');
  });

  it.each([
    ['born in', (dir: string) => ({ cgroup2Dir: dir, cgroupProcs: [] })],
    ['that it joins', (dir: string) => ({ cgroupProcs: [`${dir}/cgroup.procs`] })],
  ])('starts a shim in a group %s', async (how, birthplace) => {
    await withGroup(v2!, async (dir) => {
      const runDir = `${pod.dir}/${how}`;
      mkdirSync(runDir);
      const shim = await pod.launcher.startShim({ runDir, ...birthplace(dir) });
      expect(pidsIn(dir)).toEqual([String(shim.pid)]);
      await shim.shutdown();
    });
  });
});

describe.runIf(v1 !== undefined)('on cgroup v1', () => {
  it('attaches by the list, and shows the group as the root of a namespace', async () => {
    await withGroup(v1!, async (dir) => {
      await runContainer(pod, {
        container: 'c',
        argv: ['grep', 'pids', '/proc/self/cgroup'],
        inRoot: [attach(dir), { op: 'unshare', namespaces: ['cgroup'] }],
      });
      expect(messages(logPath(pod, 'c'), 'stdout')[0]).toMatch(/^\d+:pids:\/$/);
    });
  });

  it('puts a process of exec into the group, too', async () => {
    await withGroup(v1!, async (dir) => {
      await runContainer(pod, { container: 'gone', argv: ['true'] });
      await pod.shim.start({
        container: 'c',
        cgroup2Dir: undefined,
        logPath: logPath(pod, 'c'),
        logMaxBytes: 1_000,
        logMaxFiles: 2,
        ...noStreams,
        ops: [attach(dir), ...rootOps(pod), ...execOps(['sleep', '1000'])],
      });
      const session = await execIn(pod, 'c', { argv: ['sleep', '1000'], before: [attach(dir)] });
      await expect.poll(() => pidsIn(dir)).toHaveLength(2);
      session.close();
      await pod.shim.kill('c', 9);
    });
  });
});

it('sets up links, addresses and routes in the pod’s network namespace', async () => {
  const route = { prefix: 32, protocol: 4, kind: 'unicast', linkIndex: 1 } as const;
  const requests = recordNetlink((netlink) => {
    ensureAddress(netlink, { linkIndex: 1, address: '10.99.0.2', prefix: 32 }, 'global');
    const hop = { ...route, destination: '10.99.0.1', gateway: undefined, source: undefined };
    putRoute(netlink, hop);
    putRoute(netlink, { ...hop, destination: '0.0.0.0', prefix: 0, gateway: '10.99.0.1' });
  });
  await pod.shim.run([
    { op: 'join', namespace: 'network' },
    { op: 'netlink', messages: requests },
  ]);
  await runContainer(pod, { container: 'c', argv: ['sh', '-c', 'ip -4 -o addr; ip route'] });
  const lines = messages(logPath(pod, 'c'), 'stdout').map((l) => l.trim().replace(/\s+/g, ' '));
  expect(lines).toEqual([
    expect.stringMatching(/^1: lo inet 127\.0\.0\.1\/8 /),
    expect.stringMatching(/^1: lo inet 10\.99\.0\.2\/32 /),
    'default via 10.99.0.1 dev lo',
    '10.99.0.1 dev lo scope link',
  ]);
  const absent = pod.shim.run([
    { op: 'join', namespace: 'network' },
    { op: 'netlink', messages: recordNetlink((netlink) => setLinkUp(netlink, 99)) },
  ]);
  await expect(absent).rejects.toThrow('netlink: netlink: ENODEV');
});
