import { existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { OciSpec } from '../../../agent/oci/oci-spec.ts';
import { type OciBox, openOciBox } from '../../support/oci-box.ts';

let box: OciBox;
let busybox: string;
beforeAll(async () => {
  box = await openOciBox();
  busybox = `${box.rootfs}/bin/busybox`;
  mkdirSync(`${box.dir}/told`);
});
afterAll(() => box.end());

/** Writes the state that it is given, and what `script` prints, to a file of the host's. */
const outside = (name: string, script: string) => ({
  path: busybox,
  args: ['sh', 'sh', '-c', `{ cat; echo; ${script}; } > ${box.dir}/told/${name}`],
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
  const args = ['sh', 'sh', '-c', 'hostname > /tmp/start-hook; cat >> /tmp/start-hook'];
  const hooks = { startContainer: [{ path: '/bin/busybox', args }] };
  const lines = await box.run('cat /tmp/start-hook', { spec: { hooks, hostname: 'hooked' } });
  expect(lines[0]).toMatch(/^hooked$/);
  expect(lines[1]).toMatch(/"kind":"startContainer"/);
  rmSync(`${box.rootfs}/tmp/start-hook`);
});

it('hooks.poststart, hooks.poststop: run outside, when it runs and when it has ended', async () => {
  await runWith({ poststart: [outside('d', 'true')], poststop: [outside('e', 'true')] });
  expect(JSON.parse(told('d')[0] ?? '')).toMatchObject({ status: 'running' });
  expect(JSON.parse(told('e')[0] ?? '')).toMatchObject({ status: 'stopped' });
});

it('hooks.createRuntime: one that fails is the end of the start, and nothing is left', async () => {
  writeFileSync(`${box.dir}/not-run`, '');
  const fails = { path: busybox, args: ['false', 'false'] };
  const never = { path: busybox, args: ['rm', 'rm', `${box.dir}/not-run`] };
  const hooks = { createRuntime: [fails], startContainer: [never] };
  await expect(runWith(hooks)).rejects.toThrow('the hook ended with 1');
  expect(existsSync(`${box.dir}/not-run`)).toBe(true);
  const running = async () => (await box.shim.list()).filter(({ exit }) => !exit);
  await expect.poll(running).toEqual([]);
});
