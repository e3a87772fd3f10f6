import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compileSeccomp } from '../../../agent/kernel/seccomp.ts';
import type { OciSpec } from '../../../agent/oci/oci-spec.ts';
import { type OciBox, openOciBox } from '../../support/oci-box.ts';

let box: OciBox;
let busybox: string;
beforeAll(async () => {
  box = await openOciBox();
  busybox = `${box.rootfs}/bin/busybox`;
  mkdirSync(`${box.dir}/told`);
});
afterAll(() => box?.end());

/** Writes the state that it is given, and what `script` prints, to a file of the host's. */
const outside = (name: string, script: string) => ({
  path: busybox,
  args: ['sh', '-c', `{ cat; echo; ${script}; } > ${box.dir}/told/${name}`],
  env: ['PATH=/bin'],
});

const told = (name: string) => readFileSync(`${box.dir}/told/${name}`, 'utf8').trim().split('\n');
const namespace = (name: string) => readlinkSync(`/proc/${box.shim.pid}/ns/${name}`);

async function runWith(hooks: OciSpec['hooks']): Promise<number> {
  rmSync(`${box.dir}/told`, { recursive: true });
  mkdirSync(`${box.dir}/told`);
  const started = await box.start('sleep 1000', { spec: { hooks, hostname: 'hooked' } });
  await started.stop();
  return started.pid;
}

it.each(['prestart', 'createRuntime'] as const)(
  'hooks.prestart, hooks.createRuntime: %s runs outside, before the root is there, with the state',
  async (kind) => {
    const look = 'readlink /proc/self/ns/mnt; readlink /proc/self/ns/uts; echo $PATH';
    const pid = await runWith({ [kind]: [outside('a', look), outside('b', 'true')] });
    const [state = '', ...seen] = told('a');
    expect(JSON.parse(state)).toMatchObject({
      status: 'creating',
      pid,
      bundle: box.dir,
    });
    expect(seen).toEqual([namespace('mnt'), namespace('uts'), '/bin']);
    expect(told('b')).toHaveLength(1);
  },
);

it('hooks.createContainer: runs in the container’s namespaces, by a path of the host', async () => {
  const look = 'readlink /proc/self/ns/uts; hostname';
  await runWith({ createContainer: [outside('c', look)] });
  const [, uts, hostname] = told('c');
  expect(uts).not.toBe(namespace('uts'));
  expect(hostname).toBe('hooked');
});

it('hooks.startContainer: runs in the container, by a path of its own', async () => {
  const status = 'grep -E "^(Uid|CapEff|NoNewPrivs|Seccomp):" /proc/self/status';
  const script = `{ hostname; echo $A; ${status}; cat; } > /tmp/start-hook`;
  const hook = { path: '/bin/busybox', args: ['sh', '-c', script], env: ['PATH=/bin', 'A=b'] };
  const seccomp = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [] } as const;
  chmodSync(`${box.rootfs}/tmp`, 0o777);
  const lines = await box.run(`${status}; cat /tmp/start-hook`, {
    spec: { hooks: { startContainer: [hook] }, hostname: 'hooked' },
    process: { user: { uid: 33, gid: 33 }, noNewPrivileges: true },
    linux: { seccomp },
    place: { filter: compileSeccomp(seccomp) },
  });
  const rights = [
    'Uid:\t33\t33\t33\t33',
    'CapEff:\t0000000000000000',
    'NoNewPrivs:\t1',
    'Seccomp:\t2',
  ];
  expect(lines.slice(0, -1)).toEqual([...rights, 'hooked', 'b', ...rights]);
  expect(lines.at(-1)).toMatch(/"kind":"startContainer"/);
  rmSync(`${box.rootfs}/tmp/start-hook`);
});

it('hooks.createRuntime, hooks.startContainer: args[0] is what the program is called', async () => {
  const args = ['a name of its own', '-c', `echo $0 > ${box.dir}/told/name`];
  await runWith({ createRuntime: [{ path: '/bin/sh', args }] });
  expect(told('name')).toEqual(['a name of its own']);
  const inside = {
    path: '/bin/busybox',
    args: ['sh', '-c', 'cat /proc/$$/cmdline > /tmp/name; true'],
  };
  await runWith({ startContainer: [inside] });
  expect(readFileSync(`${box.rootfs}/tmp/name`, 'utf8')).toMatch(/^sh\0-c\0/);
});

it('hooks.poststart, hooks.poststop: run outside, when it runs and when it has ended', async () => {
  await runWith({ poststart: [outside('d', 'true')], poststop: [outside('e', 'true')] });
  expect(JSON.parse(told('d')[0] ?? '')).toMatchObject({ status: 'running' });
  expect(JSON.parse(told('e')[0] ?? '')).toMatchObject({ status: 'stopped' });
});

it('hooks.createRuntime: one that fails is the end of the start, and nothing is left', async () => {
  writeFileSync(`${box.dir}/not-run`, '');
  const fails = { path: busybox, args: ['false'] };
  const never = { path: busybox, args: ['rm', `${box.dir}/not-run`] };
  const hooks = { createRuntime: [fails], createContainer: [never] };
  await expect(runWith(hooks)).rejects.toThrow('the hook ended with 1');
  expect(existsSync(`${box.dir}/not-run`)).toBe(true);
  const running = async () => (await box.shim.list()).filter(({ exit }) => !exit);
  await expect.poll(running).toEqual([]);
});
