import { type ChildProcess, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verbs } from '../../cli/verbs.ts';
import { programs } from '../../programs.ts';
import { runProgram } from '../support/run-program.ts';

const root = join(import.meta.dirname, '../..');
const version = '9.8.7';
let scratch: string;
/** Two packages of the same sources, made in different places. */
let packages: readonly [string, string];
/** What is in them. */
let unpacked: string;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'orc-package-'));
  packages = await Promise.all([build('a'), build('deeper/down/b')]);
  unpacked = join(scratch, 'unpacked');
  await run('dpkg-deb', ['-x', packages[0], unpacked]);
}, 240_000);

afterAll(() => rmSync(scratch, { recursive: true }));

/** Runs to its end; what it printed. */
async function run(program: string, args: readonly string[], env = {}): Promise<string> {
  const { code, out, err } = await runProgram(program, args, { env, timeout: 200_000 });
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${code}\n${err}`);
  return out;
}

async function build(place: string): Promise<string> {
  const checkout = join(scratch, place);
  const listed = await run('git', ['-C', root, 'ls-files', '-co', '--exclude-standard']);
  for (const path of listed
    .trimEnd()
    .split('\n')
    .filter((path) => existsSync(join(root, path)))) {
    mkdirSync(join(checkout, dirname(path)), { recursive: true });
    cpSync(join(root, path), join(checkout, path));
  }
  symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'));
  await run('make', ['-s', '-C', join(checkout, 'native'), 'build/orc-native']);
  const env = { SOURCE_DATE_EPOCH: '1700000000', LEVEL: 'none' };
  const out = await run(join(checkout, 'deploy/package'), [version], env);
  return join(checkout, /'(dist\/.*\.deb)'/.exec(out)?.[1] ?? '');
}

describe('the package', () => {
  it('has the same bytes wherever it is built', async () => {
    expect((await runProgram('cmp', packages)).out).toBe('');
  });

  it('says what it is and what it needs', async () => {
    const fields = await run('dpkg-deb', ['-f', packages[0], 'Package', 'Version', 'Depends']);
    expect(fields).toMatch(/^Package: orc\nVersion: 9\.8\.7\nDepends: .*libnftables1.*libseccomp2/);
  });

  it('holds what a host needs, root’s, and writable for nobody else', async () => {
    const listed = await run('dpkg-deb', ['-c', packages[0]]);
    const lines = listed.trimEnd().split('\n');
    expect(
      lines.filter((line) => !/^([d-]rw[x-]r-[x-]r-[x-]|l\S+) root\/root /.test(line)),
    ).toEqual([]);
    const paths = lines.map((line) => / \.\/(\S*)( ->.*)?$/.exec(line)?.[1] ?? line);
    for (const path of [
      'etc/orc/controller.yaml',
      'usr/bin/orc',
      'usr/lib/orc/end-pods',
      'usr/lib/orc/keep-cgroups',
      'usr/lib/orc/reset',
      'usr/lib/systemd/system/orc-agent.service',
      'usr/lib/systemd/system/orc-controller.service',
      'usr/lib/systemd/system/orc-pods.service',
      'usr/share/bash-completion/completions/orc',
      'usr/share/doc/orc/copyright',
      'usr/share/doc/orc/THIRD-PARTY.gz',
      'usr/share/man/man1/orc.1.gz',
      ...Object.keys(programs).map((name) => `usr/share/man/man8/orc-${name}.8.gz`),
    ])
      expect(paths).toContain(path);
  });

  it('names nothing of the place where it was built', async () => {
    const { out } = await runProgram('grep', ['-rlF', scratch, join(unpacked, 'usr')]);
    expect(out).toBe('');
  });

  it('has a purge that is what orc reset does', async () => {
    const control = join(scratch, 'control');
    await run('dpkg-deb', ['-e', packages[0], control]);
    const purge = readFileSync(join(control, 'postrm'), 'utf8');
    expect(purge).toContain(readFileSync(join(unpacked, 'usr/lib/orc/reset'), 'utf8'));
    for (const script of ['postinst', 'prerm', 'postrm'])
      await run('sh', ['-n', join(control, script)]);
    expect(readFileSync(join(control, 'conffiles'), 'utf8')).toBe('/etc/orc/controller.yaml\n');
  });
});

describe('what is installed', () => {
  const orc = () => join(unpacked, 'usr/bin/orc');

  it('says its version', async () => {
    expect(await run(orc(), ['version', '--client'])).toBe(`orc ${version}\n`);
  });

  it('has the parts of an agent', async () => {
    expect(await run(orc(), ['agent', '--help'])).toContain('--node-name');
  });

  it('starts a controller', async () => {
    const args = ['--data-dir', join(scratch, 'state'), '--api-address', '127.0.0.1:0'];
    const child = spawn(orc(), ['controller', ...args, '--agent-address', '127.0.0.1:0']);
    try {
      expect(await firstLine(child)).toMatch(/ready/);
    } finally {
      child.kill();
    }
  });

  it('has a manual of every verb and program, without a warning', async () => {
    const pages = ['man1/orc.1', ...Object.keys(programs).map((name) => `man8/orc-${name}.8`)];
    for (const page of pages) {
      const path = join(unpacked, `usr/share/man/${page}.gz`);
      const { out, err } = await runProgram('man', ['--warnings', '-E', 'UTF-8', '-l', path]);
      expect(err).toBe('');
      expect(out).toMatch(/^NAME$/m);
      if (page !== 'man1/orc.1') continue;
      const sections = [...out.matchAll(/^ {3}(\S.*)$/gm)].map(([, name]) => name);
      expect(sections).toEqual(Object.keys(verbs));
    }
  });
});

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('exit', () => reject(new Error('it ended')));
    if (child.stdout) createInterface({ input: child.stdout }).once('line', resolve);
  });
}
