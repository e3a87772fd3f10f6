import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  argvOf,
  isRunning,
  mustWork,
  type OciProgram,
  openOciProgram,
  writeConfig,
} from '../../support/oci-program.ts';
import { waitFor } from '../../support/wait-for.ts';

let oci: OciProgram;
beforeAll(async () => {
  oci = await openOciProgram();
});
afterAll(() => oci?.[Symbol.asyncDispose]());

const line = (text: string) =>
  expect.stringMatching(new RegExp(`^orc-oci: [^\n]*${text}[^\n]*\n$`)) as string;
const isStopped = (id: string) =>
  waitFor('its end', async () => (await oci.status(id)) === 'stopped');

describe('create, start, kill, delete', () => {
  it('lead through every status', async () => {
    const { id, dir, pid } = await oci.created('sleep 1000');
    const seen: unknown[] = [await oci.status(id)];
    for (const [words, status] of [
      [['start', id], 'running'],
      [['pause', id], 'paused'],
      [['resume', id], 'running'],
    ] as const) {
      mustWork(await oci.run(...words));
      seen.push(status, await oci.status(id));
    }
    expect(seen).toEqual(['created', ...['running', 'paused', 'running'].flatMap((s) => [s, s])]);
    const { out } = mustWork(await oci.run('state', id));
    expect(JSON.parse(out)).toEqual({
      ...{ ociVersion: '1.2.0', id, pid, status: 'running', bundle: dir, rootfs: oci.rootfs },
      ...{ created: expect.stringMatching(/^\d{4}-.*Z$/), annotations: {}, owner: 'root' },
    });
    mustWork(await oci.run('kill', id, 'KILL'));
    await isStopped(id);
    expect(JSON.parse((await oci.run('state', id)).out)).toMatchObject({ pid: 0 });
    mustWork(await oci.run('delete', id));
    expect(await oci.run('state', id)).toEqual({
      ...{ code: 1, out: '' },
      err: `orc-oci: container "${id}" does not exist\n`,
    });
    expect(existsSync(`${oci.root}/${id}`)).toBe(false);
  });

  it('a created one runs nothing until its start, and reads its configuration only once', async () => {
    const c = await oci.created('echo first; sleep 1000');
    expect(readFileSync(`/proc/${c.pid}/cmdline`, 'utf8')).not.toContain('sleep');
    writeConfig(c, { ...c.spec, process: { ...c.spec.process, args: ['echo', 'second'] } });
    expect(c.out()).toBe('');
    mustWork(await oci.run('start', c.id));
    await waitFor('its line', () => c.out() === 'first\n');
  });

  it('start is refused twice, after the end, and of what isn’t there', async () => {
    const { id } = await oci.running('exec sleep 1000');
    const again = await oci.run('start', id);
    mustWork(await oci.run('kill', id, '9'));
    await isStopped(id);
    expect([again, await oci.run('start', id), await oci.run('start', 'nobody')]).toEqual([
      { code: 1, out: '', err: line('cannot start an already running container') },
      { code: 1, out: '', err: line('cannot start a container that has stopped') },
      { code: 1, out: '', err: line('container "nobody" does not exist') },
    ]);
  });

  it('delete refuses what runs, unless --force', async () => {
    const { id, pid } = await oci.running('exec sleep 1000');
    expect(await oci.run('delete', id)).toEqual({
      ...{ code: 1, out: '', err: line(`cannot delete container ${id} that is not stopped`) },
    });
    expect(await oci.status(id)).toBe('running');
    mustWork(await oci.run('delete', '--force', id));
    expect([isRunning(pid), readdirSync(oci.root).includes(id)]).toEqual([false, false]);
    expect((await oci.run('delete', id)).code).toBe(1);
    expect((await oci.run('delete', '-f', id)).code).toBe(0);
  });

  it('delete ends what was created and never started, and what is paused', async () => {
    const [waiting, paused] = [await oci.created('sleep 1000'), await oci.running('sleep 1000')];
    mustWork(await oci.run('pause', paused.id));
    mustWork(await oci.run('delete', waiting.id));
    expect((await oci.run('delete', paused.id)).code).toBe(1);
    mustWork(await oci.run('delete', '-f', paused.id));
    for (const { id, pid } of [waiting, paused])
      expect([isRunning(pid), oci.groups(id)]).toEqual([false, []]);
  });

  it('delete --regex takes those whose names match', async () => {
    const bundle = oci.bundle('true');
    for (const id of ['match-1', 'match-2', 'other'])
      mustWork(await oci.run('run', '--keep', '-b', bundle.dir, id));
    mustWork(await oci.run('delete', '--regex', '^match-'));
    const { out } = await oci.run('list', '-q');
    expect(out.split('\n').filter((id) => /^(match|other)/.test(id))).toEqual(['other']);
  });

  it('a name is taken once, and free again after delete', async () => {
    const c = await oci.running('exec sleep 1000');
    const create = () => oci.run('create', '-b', c.dir, c.id);
    expect(await create()).toEqual({ code: 1, out: '', err: line(`with id exists: ${c.id}`) });
    expect(await oci.status(c.id)).toBe('running');
    mustWork(await oci.run('delete', '-f', c.id));
    mustWork(await create());
    expect(await oci.status(c.id)).toBe('created');
  });
});

describe('names', () => {
  it.each([
    ['none', ''],
    ['a dot', '.'],
    ['two dots', '..'],
    ['a hidden one', '.a'],
    ['a path', 'a/b'],
    ['a way out', '../b'],
    ['a space', 'a b'],
    ['a letter beyond ASCII', 'ä'],
    ['a new line', 'a\n'],
    ['one that is too long', 'x'.repeat(1025)],
  ])('%s is refused by each verb', async (_, id) => {
    const { dir } = oci.bundle('true');
    const verbs = [['create', '-b', dir], ['start'], ['state'], ['delete'], ['delete', '-f']];
    const runs = await Promise.all(verbs.map((verb) => oci.run(...verb, id)));
    expect(runs.map(short)).toEqual(Array(verbs.length).fill([1, true]));
    expect(short(await oci.run('exec', id, 'true'))).toEqual([255, true]);
  });

  const short = ({ code, err }: { code: number; err: string }) => [
    code,
    err.startsWith('orc-oci: invalid character in container ID '),
  ];

  it.each(['a', 'A.b_c-d+e', '_', '0', 'x'.repeat(200)])('%s is fine', async (id) => {
    const { dir } = oci.bundle('echo ran');
    expect(await oci.run('run', '-b', dir, id)).toEqual({ code: 0, out: 'ran\n', err: '' });
  });
});

describe('run', () => {
  const hostPids = { linux: { namespaces: [{ type: 'mount' as const }] } };
  it.each([
    ['exit 0', 0],
    ['exit 7', 7],
    ['exit 255', 255],
    ['kill -KILL $$', 137],
    ['kill -TERM $$', 143],
    ['kill -SEGV $$', 139],
  ])('ends as the process does: %s', async (script, code) => {
    expect(await oci.foreground(script, hostPids)).toEqual({ code, out: '', err: '' });
  });

  it('hands on signals that it gets', async () => {
    const script = 'trap "echo told; exit 5" TERM; echo up; while true; do sleep 0.01; done';
    const { id, dir } = oci.bundle(script);
    const front = oci.begin(['run', '-b', dir, id]);
    await waitFor('its line', () => front.out() === 'up\n');
    process.kill(front.pid, 'SIGTERM');
    expect(await front.ended).toEqual({ code: 5, out: 'up\ntold\n', err: '' });
  });

  it('leaves nothing, or with --keep what stopped', async () => {
    const { id, dir } = oci.bundle('true');
    mustWork(await oci.run('run', '-b', dir, id));
    expect([readdirSync(oci.root).includes(id), oci.groups(id)]).toEqual([false, []]);
    mustWork(await oci.run('run', '--keep', '-b', dir, id));
    expect(await oci.status(id)).toBe('stopped');
    mustWork(await oci.run('delete', id));
  });

  it('--detach comes back, with a pid file, while the container runs', async () => {
    const { id, dir } = oci.bundle('exec sleep 1000');
    mustWork(await oci.call(['run', '--detach', '--pid-file', 'p', '-b', '.', id], { cwd: dir }));
    const pid = Number(readFileSync(`${dir}/p`, 'utf8'));
    await waitFor('its program', () => argvOf(pid).join(' ') === 'sleep 1000');
    expect(await oci.status(id)).toBe('running');
  });

  it('takes what engines say that changes nothing here', async () => {
    const { id, dir } = oci.bundle('echo ran');
    const before = ['--log-level', 'debug', '--rootless', 'auto', '--cgroup-manager', 'cgroupfs'];
    const after = ['--no-pivot', '--no-new-keyring', '--no-subreaper'];
    const run = await oci.run(...before, 'run', ...after, '--bundle', dir, id);
    expect(run).toEqual({ code: 0, out: 'ran\n', err: '' });
  });

  it('finds bundle and configuration below the working directory', async () => {
    const { id, dir, spec } = oci.bundle('echo config.json');
    const other = { ...spec, process: { ...spec.process, args: ['echo', 'other.json'] } };
    writeFileSync(`${dir}/other.json`, JSON.stringify(other));
    mkdirSync(`${dir}/below`);
    const said = async (cwd: string, ...words: readonly string[]) =>
      mustWork(await oci.call(['run', ...words, id], { cwd })).out;
    expect([
      await said(dir),
      await said(`${dir}/below`, '--bundle', '..'),
      await said(dir, '--config', 'other.json'),
      await said(dir, '-f', `${dir}/other.json`),
      await said('/', `--bundle=${dir}`),
    ]).toEqual(['config', 'config', 'other', 'other', 'config'].map((name) => `${name}.json\n`));
  });
});

describe('kill', () => {
  it.each(['TERM', 'SIGTERM', 'term', '15', undefined])('%s is SIGTERM', async (name) => {
    const { id, out } = await oci.running(
      'trap "echo 15; exit" TERM; echo up; while :; do :; done',
    );
    await waitFor('its line', () => out() === 'up\n');
    mustWork(await oci.run('kill', id, ...(name === undefined ? [] : [name])));
    await isStopped(id);
    expect(out()).toBe('up\n15\n');
    expect(await oci.run('kill', id)).toMatchObject({ code: 1, err: line('not running') });
  });

  it('says so of a signal that there isn’t', async () => {
    const { id } = await oci.created('true');
    for (const name of ['SIGNOTHING', '65', '-1', '1e1'])
      expect((await oci.run('kill', id, name)).code).toBe(1);
    expect(await oci.status(id)).toBe('created');
  });

  it.each([['--all', 'TERM'], ['KILL']])(
    '%s reaches all processes of one without a pid namespace',
    async (...words) => {
      const options = words.filter((word) => word.startsWith('--'));
      const { id } = await oci.running('sleep 1000 & sleep 1000 & echo up; exec sleep 1000', {
        linux: { namespaces: [{ type: 'mount' }] },
      });
      const pids = () => (oci.groupFile(id, 'cgroup.procs') ?? '').split('\n').filter(Boolean);
      await waitFor('three processes', () => pids().length === 3);
      mustWork(await oci.run('kill', ...options, id, words.at(-1)!));
      await waitFor('their end', () => pids().length === 0);
    },
  );

  it('of a created one ends it', async () => {
    const { id } = await oci.created('true');
    mustWork(await oci.run('kill', id, 'KILL'));
    await isStopped(id);
  });
});

describe('list', () => {
  it('shows all by name, as a table, as JSON', async () => {
    const { id, pid, dir } = await oci.running('exec sleep 1000');
    const [table, json, quiet] = await Promise.all([
      oci.run('list'),
      oci.run('list', '--format', 'json'),
      oci.run('list', '--quiet'),
    ]);
    expect(table.out).toMatch(/^ID +PID +STATUS +BUNDLE +CREATED +OWNER\n/);
    expect(table.out).toMatch(new RegExp(`^${id} +${pid} +running +${dir} +\\S+ +root$`, 'm'));
    expect(JSON.parse(json.out)).toContainEqual(
      expect.objectContaining({ id, pid, status: 'running', bundle: dir, ociVersion: '1.2.0' }),
    );
    expect(quiet.out.split('\n')).toContain(id);
  });

  it('is empty where nothing was yet', async () => {
    const call = (...words: string[]) => oci.run('--root', `${oci.dir}/nothing`, 'list', ...words);
    expect((await call('-q')).out).toBe('');
    expect((await call('-f', 'json')).out).toBe('[]\n');
    expect((await call('-f', 'yaml')).code).toBe(1);
  });
});
