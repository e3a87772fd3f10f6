import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  argvOf,
  isRunning,
  mustWork,
  type OciProgram,
  openOciProgram,
} from '../../support/oci-program.ts';
import { waitFor } from '../../support/wait-for.ts';

let oci: OciProgram;
beforeAll(async () => {
  oci = await openOciProgram();
});
afterAll(() => oci?.[Symbol.asyncDispose]());

/** Of orc-oci: called as such, or as what it becomes. */
const ownProcesses = () =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), argv: argvOf(Number(name)) }))
    .filter(({ argv }) => argv.some((word) => word.startsWith(`${oci.dir}/`)))
    .map(({ pid }) => pid);

const plannerEnds = async (pid: number) => {
  process.kill(pid, 'SIGKILL');
  await waitFor('the planner’s end', () => !isRunning(pid));
};

it('what was started is its own: nothing of orc-oci stays but the planner', async () => {
  const { id } = await oci.running('exec sleep 1000');
  expect(ownProcesses()).toEqual(oci.planners());
  expect(oci.planners()).toHaveLength(1);
  mustWork(await oci.run('delete', '--force', id));
});

it('a first process falls to the nearest that reaps: here the first one of a pid namespace', async () => {
  const { id, dir } = oci.bundle('exec sleep 1000');
  const script = [
    `"$@" create --pid-file ${dir}/pid --bundle ${dir} ${id} || exit 1`,
    `pid=$(cat ${dir}/pid)`,
    'echo created $(cut -d" " -f4 /proc/$pid/stat)',
    `"$@" start ${id} || exit 2`,
    'echo running $(cut -d" " -f4 /proc/$pid/stat)',
    `"$@" kill ${id} KILL`,
    'wait $pid',
    `"$@" delete --force ${id}`,
  ].join('\n');
  const by = ['unshare', '--fork', '--pid', '--mount-proc', 'sh', '-c', script, 'sh'];
  expect(await oci.call([], { by })).toEqual({
    ...{ code: 0, out: 'created 1\nrunning 1\n', err: '' },
  });
  expect(existsSync(`${oci.root}/${id}`)).toBe(false);
});

it('what a foreground exec has run is waited for by it: its container can end, though nobody else reaps', async () => {
  const { id, dir } = oci.bundle('exec sleep 1000');
  const script = [
    `"$@" --cgroup-manager disabled create --bundle ${dir} ${id} && "$@" start ${id} || exit 1`,
    `"$@" exec ${id} echo ran`,
    `"$@" kill ${id} KILL`,
    'tries=0',
    `until "$@" state ${id} | grep stopped; do`,
    '  tries=$((tries + 1)); [ $tries -lt 50 ] || exit 2; sleep 0.1',
    'done',
    `"$@" delete ${id}`,
  ].join('\n');
  // The first one of the namespace is a `cat`, which ends with the script and waits for nobody.
  const first = `mkfifo ${dir}/said; { ${script}\n} >${dir}/said & exec cat ${dir}/said`;
  const by = ['unshare', '--fork', '--pid', '--mount-proc', 'sh', '-c', first, 'sh'];
  expect(await oci.call([], { by })).toEqual({
    ...{ code: 0, out: 'ran\n  "status": "stopped",\n', err: '' },
  });
});

it('a foreground container is a child of who called', async () => {
  const { id, dir } = oci.bundle('echo up; exec sleep 1000');
  const front = oci.begin(['run', '--pid-file', `${dir}/pid`, '-b', dir, id]);
  await waitFor('its line', () => front.out() === 'up\n');
  const stat = readFileSync(`/proc/${readFileSync(`${dir}/pid`, 'utf8')}/stat`, 'utf8');
  expect(Number(stat.split(' ')[3])).toBe(front.pid);
  mustWork(await oci.run('kill', id, 'KILL'));
  expect((await front.ended).code).toBe(137);
});

it('containers go on without the planner, and the next call starts another one', async () => {
  const running = await oci.running('echo up; exec sleep 1000');
  const waiting = await oci.created('echo up; exec sleep 1000');
  const [planner = 0] = oci.planners();
  await plannerEnds(planner);
  expect([running, waiting].map(({ pid }) => isRunning(pid))).toEqual([true, true]);
  expect([await oci.status(running.id), await oci.status(waiting.id)]).toEqual([
    'running',
    'created',
  ]);
  mustWork(await oci.run('start', waiting.id));
  await waitFor('its line', () => waiting.out() === 'up\n');
  expect((await oci.run('exec', running.id, 'echo', 'ran')).out).toBe('ran\n');
  expect(oci.planners()).toHaveLength(1);
  expect(oci.planners()).not.toContain(planner);
});

it('a call whose planner is killed says so', async () => {
  const { id, dir } = oci.bundle('echo up; exec sleep 1000');
  const front = oci.begin(['run', '-b', dir, id]);
  await waitFor('its line', () => front.out() === 'up\n');
  await plannerEnds(oci.planners()[0]!);
  expect(await front.ended).toMatchObject({ code: 1, err: /^orc-oci: planner: / });
  mustWork(await oci.run('delete', '--force', id));
  expect([existsSync(`${oci.root}/${id}`), oci.groups(id)]).toEqual([false, []]);
});

it.each([
  ['the front', (front: number) => front],
  ['the planner', () => oci.planners()[0]!],
])('%s killed in the middle of a hook leaves what delete --force removes', async (_, whom) => {
  const told = `${oci.rootfs}/hook-pid`;
  rmSync(told, { force: true });
  const args = ['sh', '-c', `echo $$ > ${told}.new; mv ${told}.new ${told}; exec sleep 1000`];
  const hook = { path: `${oci.rootfs}/bin/busybox`, args, env: ['PATH=/bin:/usr/bin'] };
  const { id, dir } = oci.bundle('true', { spec: { hooks: { createRuntime: [hook] } } });
  const front = oci.begin(['create', '-b', dir, id]);
  await waitFor('the hook', () => existsSync(told));
  const record = readFileSync(`${oci.root}/${id}/state.json`, 'utf8');
  const { pid } = JSON.parse(record) as { readonly pid: number };
  expect(isRunning(pid)).toBe(true);
  process.kill(whom(front.pid), 'SIGKILL');
  expect((await front.ended).code).not.toBe(0);
  // A program of the host's, which may go on: it is none of the container's.
  process.kill(Number(readFileSync(told, 'utf8')), 'SIGKILL');
  mustWork(await oci.run('delete', '--force', id));
  await waitFor('the end of its process', () => !isRunning(pid));
  expect([existsSync(`${oci.root}/${id}`), oci.groups(id)]).toEqual([false, []]);
  expect(mustWork(await oci.run('list', '-q')).out.split('\n')).not.toContain(id);
});

it('the front of a start killed in the middle of a hook leaves what delete removes', async () => {
  const args = ['sh', '-c', 'touch /hooked; exec sleep 1000'];
  const hooks = { startContainer: [{ path: '/bin/sh', args }] };
  const { id, pid, out } = await oci.created('echo ran', { spec: { hooks } });
  const front = oci.begin(['start', id]);
  await waitFor('the hook', () => existsSync(`${oci.rootfs}/hooked`));
  front.kill();
  expect((await front.ended).code).toBe(137);
  mustWork(await oci.run('delete', '--force', id));
  await waitFor('its end', () => !isRunning(pid));
  expect([existsSync(`${oci.root}/${id}`), oci.groups(id), out()]).toEqual([false, [], '']);
});

it('a front ended (SIGTERM) in the middle of a hook leaves nothing', async () => {
  const told = `${oci.dir}/told`;
  const args = ['sh', '-c', `touch ${told}; exec sleep 1000`];
  const spec = { hooks: { createRuntime: [{ path: '/bin/sh', args }] } };
  const { id, dir } = oci.bundle('true', { spec });
  const front = oci.begin(['create', '-b', dir, id]);
  await waitFor('the hook', () => existsSync(told));
  process.kill(front.pid, 'SIGTERM');
  expect((await front.ended).code).not.toBe(0);
  expect([existsSync(`${oci.root}/${id}`), oci.groups(id)]).toEqual([false, []]);
});

it('two calls at once start one planner', async () => {
  for (let round = 0; round < 3; round++) {
    for (const planner of oci.planners()) await plannerEnds(planner);
    const runs = await Promise.all(Array.from({ length: 4 }, () => oci.run('list')));
    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    expect(oci.planners()).toHaveLength(1);
  }
});

it('ten containers at once are made, run and removed', async () => {
  const outs = await Promise.all(
    Array.from({ length: 10 }, async (_, i) => {
      const c = await oci.running(`echo ${i}; exec sleep 1000`);
      await waitFor('its line', () => c.out() === `${i}\n`);
      mustWork(await oci.run('delete', '--force', c.id));
      return [existsSync(`${oci.root}/${c.id}`), oci.groups(c.id)];
    }),
  );
  expect(outs).toEqual(Array(10).fill([false, []]));
});

it('of several calls that can’t all work one does', async () => {
  const { id, dir } = oci.bundle('exec sleep 1000');
  const codes = async (...words: string[]) => {
    const runs = await Promise.all(Array.from({ length: 5 }, () => oci.run(...words)));
    return runs.map(({ code }) => code).toSorted((a, b) => a - b);
  };
  expect(await codes('create', '-b', dir, id)).toEqual([0, 1, 1, 1, 1]);
  expect(await oci.status(id)).toBe('created');
  expect(await codes('start', id)).toEqual([0, 1, 1, 1, 1]);
  expect(await oci.status(id)).toBe('running');
  expect(await codes('delete', '--force', id)).toEqual([0, 0, 0, 0, 0]);
  expect(existsSync(`${oci.root}/${id}`)).toBe(false);
});

it('the planner ends when nobody calls', async () => {
  mustWork(await oci.run('list'));
  const [planner = 0] = oci.planners();
  const socket = `/run/orc-oci-planner/${argvOf(planner).at(-1)}`;
  expect(existsSync(socket)).toBe(true);
  await waitFor('its end', () => !isRunning(planner), 15_000);
  expect(existsSync(socket)).toBe(false);
});
