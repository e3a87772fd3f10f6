import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { OciHook, OciSpec } from '../../../agent/oci/oci-spec.ts';
import { isRunning, mustWork, type OciProgram, openOciProgram } from '../../support/oci-program.ts';
import { waitFor } from '../../support/wait-for.ts';

let oci: OciProgram;
beforeAll(async () => {
  oci = await openOciProgram();
});
afterAll(() => oci?.[Symbol.asyncDispose]());
/** In the container's root, so that its own hooks can write there, too. */
beforeEach(() => {
  rmSync(`${oci.rootfs}/told`, { recursive: true, force: true });
  mkdirSync(`${oci.rootfs}/told`);
});

type Kind = keyof NonNullable<OciSpec['hooks']>;
const kinds: readonly Kind[] = [
  ...(['prestart', 'createRuntime', 'createContainer'] as const),
  ...(['startContainer', 'poststart', 'poststop'] as const),
];

/** With what it is told, and what `script` says, in a file. */
function hook(kind: Kind, script: string, more: Partial<OciHook> = {}): OciHook {
  const inside = kind === 'startContainer' ? '' : oci.rootfs;
  const say = `echo ${kind} >> ${inside}/told/order; { cat; echo; ${script}; } > ${inside}/told/${kind}`;
  const env = ['PATH=/bin:/usr/bin'];
  return { path: `${inside}/bin/busybox`, args: ['sh', '-c', say], env, ...more };
}

const fails = (kind: Kind): OciHook => hook(kind, 'exit 3');
const hooks = (script: string, of = kinds): NonNullable<OciSpec['hooks']> =>
  Object.fromEntries(of.map((kind) => [kind, [hook(kind, script)]]));
const told = (name: string) =>
  readFileSync(`${oci.rootfs}/told/${name}`, 'utf8').trim().split('\n');
const order = () => (existsSync(`${oci.rootfs}/told/order`) ? told('order') : []);
const left = (id: string) => [existsSync(`${oci.root}/${id}`), oci.groups(id)];
const nothing = [false, []];

it('all kinds run in their order, each with the state as it is then', async () => {
  const annotations = { 'some.key': 'and value' };
  const spec = { hooks: hooks('pwd'), annotations };
  const { id, dir, pid } = await oci.created('exec sleep 1000', { spec });
  expect(order()).toEqual(['prestart', 'createRuntime', 'createContainer']);
  mustWork(await oci.run('start', id));
  expect(order()).toEqual(kinds.slice(0, 5));
  mustWork(await oci.run('delete', '--force', id));
  expect(order()).toEqual(kinds);
  const common = { ociVersion: '1.2.0', id, bundle: dir, annotations };
  const states = kinds.map((kind) => JSON.parse(told(kind)[0] ?? '{}') as { pid: number });
  expect(states).toEqual([
    { ...common, status: 'created', pid },
    { ...common, status: 'creating', pid },
    { ...common, status: 'creating', pid },
    { ...common, status: 'created', pid: expect.any(Number) },
    { ...common, status: 'running', pid },
    { ...common, status: 'stopped', pid: expect.any(Number) },
  ]);
  const places = kinds.map((kind) => told(kind)[1]);
  expect(places).toEqual([dir, dir, dir, '/', dir, dir]);
});

it('several of a kind run one after the other', async () => {
  const each = [1, 2, 3].map((n) => hook('createRuntime', `echo ${n} >> ${oci.rootfs}/told/n`));
  const run = await oci.foreground('echo ran', { spec: { hooks: { createRuntime: each } } });
  expect([run, told('n')]).toEqual([{ code: 0, out: 'ran\n', err: '' }, ['1', '2', '3']]);
});

it.each(['createRuntime', 'poststart', 'poststop'] as const)(
  '%s has its own environment, or else the caller’s',
  async (kind) => {
    const { env, ...inherits } = hook(kind, 'echo "<$MARK>"');
    const seen = async (one: OciHook) => {
      const call = { env: { MARK: 'of the caller' } };
      mustWork(await oci.foreground('true', { spec: { hooks: { [kind]: [one] } }, call }));
      return told(kind)[1];
    };
    expect([
      await seen({ ...inherits, env: [...env!, 'MARK=own'] }),
      await seen({ ...inherits, env: env! }),
      await seen(inherits),
    ]).toEqual(['<own>', '<>', '<of the caller>']);
  },
);

it.each([
  ['createRuntime', ['createRuntime']],
  ['prestart', ['prestart']],
  ['createContainer', ['createRuntime', 'createContainer']],
] as const)('%s: one that fails fails create, and leaves nothing', async (kind, ran) => {
  const never = hook('createContainer', 'true');
  const first = { createRuntime: [hook('createRuntime', 'true')], createContainer: [never] };
  const spec = { hooks: { ...first, [kind]: [fails(kind), hook(kind, 'true')] } };
  const { id, dir } = oci.bundle('true', { spec });
  expect(await oci.run('create', '-b', dir, id)).toEqual({
    ...{ code: 1, out: '' },
    err: expect.stringMatching(`${kind} hook #0: .*failed with exit code 3\n$`),
  });
  expect([order(), left(id)]).toEqual([ran, nothing]);
});

it('startContainer: one that fails fails start; the program doesn’t run', async () => {
  const spec = { hooks: { startContainer: [fails('startContainer')] } };
  const c = await oci.created('echo ran', { spec });
  const start = await oci.run('start', c.id);
  expect([start.code, c.out()]).toEqual([1, '']);
  expect(start.err).toMatch(/startContainer hook #0: .*failed with exit code 3\n$/);
  await waitFor('its end', () => !isRunning(c.pid));
  mustWork(await oci.run('delete', '--force', c.id));
  const { id, dir } = oci.bundle('echo ran', { spec });
  expect(await oci.run('run', '-b', dir, id)).toMatchObject({ code: 1, out: '' });
  expect(left(id)).toEqual(nothing);
});

it.each(['start', 'run', 'run --detach'])(
  'poststart: one that fails ends and removes what %s has started',
  async (verb) => {
    const spec = {
      hooks: { poststart: [fails('poststart')], poststop: [hook('poststop', 'true')] },
    };
    const { id, dir } = oci.bundle('exec sleep 1000', { spec });
    if (verb === 'start') mustWork(await oci.run('create', '-b', dir, id));
    const words = verb === 'start' ? ['start', id] : [...verb.split(' '), '-b', dir, id];
    const run = await oci.run(...words);
    expect([run.code, run.err]).toEqual([1, expect.stringMatching(/poststart hook #0: /)]);
    expect([left(id), order()]).toEqual([nothing, ['poststart', 'poststop']]);
  },
);

it('poststop: one that fails is told, and the container is removed', async () => {
  const hooks = { poststop: [fails('poststop')] };
  const { id } = await oci.created('true', { spec: { hooks } });
  expect(await oci.run('delete', '--force', id)).toEqual({
    ...{ code: 0, out: '' },
    err: expect.stringMatching(/poststop hook #0: .*exit code 3\n$/),
  });
  expect(left(id)).toEqual(nothing);
});

it('one that takes longer than its timeout is killed, and fails create', async () => {
  const script = `echo $$ > ${oci.rootfs}/told/pid; exec sleep 1000`;
  const slow = hook('createRuntime', script, { timeout: 1 });
  const { id, dir } = oci.bundle('true', { spec: { hooks: { createRuntime: [slow] } } });
  const { code, err } = await oci.run('create', '-b', dir, id);
  expect([code, err]).toEqual([1, expect.stringMatching(/createRuntime hook #0: /)]);
  await waitFor('its end', () => !isRunning(Number(told('pid')[0])));
  expect(left(id)).toEqual(nothing);
});

it('one whose program isn’t there is told by its path', async () => {
  const spec = { hooks: { createRuntime: [{ path: '/nowhere/hook' }] } };
  const { id, dir } = oci.bundle('true', { spec });
  const { code, err } = await oci.run('create', '-b', dir, id);
  expect([code, err]).toEqual([1, expect.stringMatching(/hook #0: \/nowhere\/hook/)]);
  expect(left(id)).toEqual(nothing);
});
