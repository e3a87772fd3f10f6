import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OciSpec } from '../../../agent/oci/oci-spec.ts';
import {
  mustWork,
  type OciProgram,
  openOciProgram,
  writeConfig,
} from '../../support/oci-program.ts';

let oci: OciProgram;
beforeAll(async () => {
  oci = await openOciProgram();
});
afterAll(() => oci?.[Symbol.asyncDispose]());

const failed = (text: string | RegExp, code = 1) => ({
  ...{ code, out: '' },
  err: expect.stringMatching(text) as string,
});

describe('the command line', () => {
  it.each([
    [['nonsense'], 1, /^orc-oci: no such command: "nonsense"\n$/],
    [['--nonsense', 'list'], 1, /^orc-oci: Unknown option '--nonsense'/],
    [['list', '--nonsense'], 1, /^orc-oci: Unknown option '--nonsense'/],
    [['create', '--bundle'], 1, /^orc-oci: .*argument missing/],
    [['create', '--no-pivot=yes', 'x'], 1, /^orc-oci: .*does not take an argument/],
    [['create'], 1, /^orc-oci: create: wrong number of arguments; usage: orc-oci create /],
    [['create', 'a', 'b'], 1, /wrong number/],
    [['start'], 1, /wrong number/],
    [['kill', 'a', 'TERM', 'c'], 1, /wrong number/],
    [['list', 'a'], 1, /wrong number/],
    [['features', 'a'], 1, /wrong number/],
    [['exec'], 255, /^orc-oci: exec: wrong number/],
    [['exec', '--nonsense', 'a', 'true'], 255, /Unknown option '--nonsense'/],
    [['--log-format', 'xml', 'list'], 1, /^orc-oci: unknown log-format "xml"\n$/],
    [['--cgroup-manager', 'none', 'list'], 1, /^orc-oci: --cgroup-manager: .*"none"\n$/],
  ])('%j is refused', async (words, code, err) => {
    expect(await oci.run(...words)).toEqual(failed(err, code));
  });

  it.each([[[]], [['help']], [['--help']], [['-h']]])('%j tells all verbs', async (words) => {
    const { code, out, err } = await oci.run(...words);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^usage: orc-oci .*\ncommands: create, run, start, exec, kill, delete/);
  });

  it('a verb’s --help tells its options, --version what this is', async () => {
    expect((await oci.run('run', '--help')).out).toMatch(/^usage: orc-oci run .*\[--detach\].* ID/);
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect((await oci.run('--version')).out).toBe(`orc-oci version ${version}\nspec: 1.3.0\n`);
  });
});

describe('a configuration that can’t be followed', () => {
  const process = { args: ['true'], cwd: '/' };
  const linux = { namespaces: [{ type: 'mount' }] };
  const base = { ociVersion: '1.2.0', root: { path: 'rootfs' }, process, linux };
  it.each<[string, unknown, RegExp]>([
    ['no process’ program', { ...base, process: { cwd: '/' } }, /process\.args/],
    ['a relative directory', { ...base, process: { ...process, cwd: 'a' } }, /process\.cwd/],
    ['a version to come', { ...base, ociVersion: '9.0.0' }, /ociVersion/],
    ['an unknown namespace', { ...base, linux: { namespaces: [{ type: 'x' }] } }, /namespaces/],
    ['a root that isn’t there', { ...base, root: { path: '/nowhere/x' } }, /nowhere|no such file/],
    ['no object', [], /config|object/],
  ])('%s: create says which field, and leaves nothing', async (_, spec, err) => {
    const { id, dir } = oci.bundle('true');
    writeConfig({ dir }, spec);
    expect(await oci.run('create', '-b', dir, id)).toEqual(failed(err));
    expect([existsSync(`${oci.root}/${id}`), oci.groups(id)]).toEqual([false, []]);
  });

  it('none, or no JSON: create says so', async () => {
    const { id, dir } = oci.bundle('true');
    writeFileSync(`${dir}/config.json`, '{"ociVersion": ');
    expect(await oci.run('create', '-b', dir, id)).toEqual(failed(/JSON/));
    expect(await oci.run('create', '-b', `${dir}/none`, id)).toEqual(
      failed(`${dir}/none/config.json: no such file or directory`),
    );
    expect(existsSync(`${oci.root}/${id}`)).toBe(false);
  });

  const starts: [string, Partial<OciSpec['process']>, string][] = [
    ['no program', { args: ['nowhere'] }, 'exec: "nowhere": executable file not found in $PATH'],
    ['no such path', { args: ['/a/b'] }, 'exec: "/a/b": stat /a/b: no such file or directory'],
    ['no right to', { args: ['/etc/passwd'] }, 'exec: "/etc/passwd": permission denied'],
    ['no program’s format', { args: ['/etc/text'] }, 'exec: "/etc/text": exec format error'],
    ['a file as directory', { cwd: '/etc/passwd' }, 'chdir to cwd ("/etc/passwd")'],
  ];
  it.each(starts)('%s: run says so, and leaves nothing', async (_, over, err) => {
    writeFileSync(`${oci.rootfs}/etc/text`, 'no program', { mode: 0o755 });
    const { id, dir } = oci.bundle('true', { process: over });
    const run = await oci.run('run', '-b', dir, id);
    expect([run.code, run.out, run.err.includes(err)]).toEqual([1, '', true]);
    expect([existsSync(`${oci.root}/${id}`), oci.groups(id)]).toEqual([false, []]);
  });

  it.each(starts)('%s: start says so of what could be created', async (_, over, err) => {
    const { id, dir } = oci.bundle('true', { process: over });
    const made = await oci.run('create', '-b', dir, id);
    const { code, err: said } = made.code === 0 ? await oci.run('start', id) : made;
    expect([code, said.includes(err)]).toEqual([1, true]);
    mustWork(await oci.run('delete', '--force', id));
    expect([existsSync(`${oci.root}/${id}`), oci.groups(id)]).toEqual([false, []]);
  });
});

describe('the log', () => {
  const words = ['state', 'nobody'];
  const message = 'container "nobody" does not exist';
  const logged = async (...options: readonly string[]) => {
    const file = `${oci.dir}/log-${Math.trunc(performance.now() * 1000)}`;
    const { code, out, err } = await oci.run('--log', file, ...options, ...words);
    return { code, out, err, log: readFileSync(file, 'utf8') };
  };
  const time = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

  it('as json has the error as its last line; standard error says it, too', async () => {
    const { log, ...said } = await logged('--log-format', 'json');
    expect(said).toEqual({ code: 1, out: '', err: `orc-oci: ${message}\n` });
    expect(
      log
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([{ level: 'error', msg: message, time: expect.stringMatching(time) }]);
  });

  it.each([[[]], [['--log-format', 'text']]])(
    'as text (%j) has it in one line',
    async (options) => {
      const { log, err } = await logged(...options);
      expect(log).toMatch(
        /^time="\S+Z" level=error msg="container \\"nobody\\" does not exist"\n$/,
      );
      expect(err).toBe(`orc-oci: ${message}\n`);
    },
  );

  it('--debug tells the call as well, into the log or on standard error', async () => {
    const { log } = await logged('--debug', '--log-format', 'json');
    const levels = log
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(levels).toMatchObject([{ level: 'debug', msg: /state nobody$/ }, { level: 'error' }]);
    const { err } = await oci.run('--debug', ...words);
    expect(err).toMatch(/level=debug msg=".*state nobody"\norc-oci: container "nobody"/);
  });

  it('without a file, json is on standard error', async () => {
    const { err } = await oci.run('--log-format', 'json', ...words);
    expect(JSON.parse(err)).toMatchObject({ level: 'error', msg: message });
  });

  it('is appended to, lies below the working directory, and stays empty when all is well', async () => {
    const call = (...more: readonly string[]) =>
      oci.call(['--log', 'a.log', ...more], { cwd: oci.dir });
    const lines = () => readFileSync(`${oci.dir}/a.log`, 'utf8').split('\n').length - 1;
    mustWork(await call('list'));
    expect(lines()).toBe(0);
    await call(...words);
    await call(...words);
    expect(lines()).toBe(2);
  });

  it('that can’t be written is an error', async () => {
    const ids = readdirSync(oci.root);
    for (const log of ['/proc/nowhere/log', oci.dir])
      expect(await oci.run('--log', log, 'list')).toEqual(
        failed(/^orc-oci: --log: E(NOENT|ISDIR)/),
      );
    expect(readdirSync(oci.root)).toEqual(ids);
  });
});

describe('features and spec', () => {
  it('features are those of the specification', async () => {
    expect(JSON.parse(mustWork(await oci.run('features')).out)).toMatchObject({
      ociVersionMin: '1.0.0',
      ociVersionMax: expect.stringMatching(/^1\.3\./),
      hooks: expect.arrayContaining(['prestart', 'createRuntime', 'poststop']),
      mountOptions: expect.arrayContaining(['bind', 'ro', 'noexec', 'idmap']),
      linux: {
        namespaces: expect.arrayContaining(['mount', 'pid', 'user', 'cgroup', 'time']),
        capabilities: expect.arrayContaining(['CAP_SYS_ADMIN', 'CAP_BPF']),
        cgroup: { v1: true, v2: true, systemd: false },
        seccomp: { enabled: true, actions: expect.arrayContaining(['SCMP_ACT_ERRNO']) },
      },
    });
  });

  it('features name the recursive mount options, too: engines look for rro', async () => {
    const { mountOptions } = JSON.parse(mustWork(await oci.run('features')).out);
    const options = ['rro', 'rnoexec', 'rprivate', 'rslave'];
    expect(mountOptions).toEqual(expect.arrayContaining(options));
  });

  it('what spec writes can be run, and isn’t overwritten', async () => {
    const { id, dir } = oci.bundle('true');
    const write = () => oci.run('spec', '--bundle', dir);
    expect(await write()).toEqual(failed(/config\.json exists\. Remove it first/));
    const file = `${dir}/fresh.json`;
    mustWork(await oci.run('spec', '-b', dir, '-f', file));
    const spec = JSON.parse(readFileSync(file, 'utf8')) as OciSpec;
    expect(spec).toMatchObject({
      ociVersion: '1.2.0',
      process: { terminal: true, args: ['sh'], noNewPrivileges: true },
      root: { path: 'rootfs', readonly: true },
    });
    const process = { ...spec.process, terminal: false, args: ['sh', '-c', 'echo $0 in $PWD'] };
    const linux = { ...spec.linux, cgroupsPath: oci.bundle('').spec.linux?.cgroupsPath };
    writeConfig({ dir }, { ...spec, process, linux, root: { path: oci.rootfs, readonly: true } });
    expect(await oci.run('run', '-b', dir, id)).toEqual({ code: 0, out: 'sh in /\n', err: '' });
  });
});
