import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';

const deploy = join(import.meta.dirname, '../../deploy');

const isThere = (program: string) => spawnSync('which', [program]).status === 0;

/** How each tool reads its file without making a machine. */
const readers: readonly (readonly [file: string, program: string, ...words: string[]])[] = [
  ['Vagrantfile', 'ruby', '-c', 'Vagrantfile'],
  ['Vagrantfile', 'vagrant', 'validate', '--ignore-provider'],
  ['lima.yaml', 'limactl', 'validate', 'lima.yaml'],
];

for (const [file, program, ...words] of readers)
  it(`${program} takes deploy/${file}`, ({ skip }) => {
    skip(!isThere(program), `${program} is not on this machine`);
    const { status, stderr } = spawnSync(program, words, { cwd: deploy, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

/** The verbs of deploy/provision that a text calls. */
const verbsIn = (text: string) =>
  [...text.matchAll(/provision"? (install|controller|token|node)\b/g)]
    .map(([, verb = '']) => verb)
    .sort((a, b) => a.localeCompare(b));

it('Vagrant and Lima make machines as the testbed does, by deploy/provision', () => {
  const all = ['controller', 'install', 'node', 'token'];
  expect(verbsIn(readFileSync(join(deploy, 'Vagrantfile'), 'utf8'))).toEqual(all);
  const { provision } = parse(readFileSync(join(deploy, 'lima.yaml'), 'utf8')) as {
    readonly provision: readonly { readonly script: string }[];
  };
  expect(verbsIn(provision.map(({ script }) => script).join(''))).toEqual(all);
});

it.each(['provision', 'testbed', 'testbed-image', 'testbed-machine'])(
  'the shell takes deploy/%s',
  (file) => {
    const { status, stderr } = spawnSync('sh', ['-n', join(deploy, file)], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  },
);
