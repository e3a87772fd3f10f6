/** For the project "hosts": three machines, which carry this checkout's package twice. */
import { copyFile, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import { runProgram } from './run-program.ts';
import { outputOf, type Release, testbed } from './testbed.ts';

const deploy = join(import.meta.dirname, '../../deploy');
const makingImagesMs = 900_000;

export async function setup(): Promise<void> {
  await testbed(['down']);
  const carried = await mkdtemp(join(tmpdir(), 'orc-carried-'));
  try {
    await Promise.all([buildBoth(carried), makeImage()]);
    await copyFile(join(deploy, 'provision'), join(carried, 'provision'));
    const up = await testbed(['up', '3', '--carry', carried], makingImagesMs);
    console.log(outputOf('deploy/testbed up 3', up));
  } catch (error) {
    await testbed(['down']);
    throw error;
  } finally {
    await rm(carried, { recursive: true });
  }
}

export async function teardown(): Promise<void> {
  outputOf('deploy/testbed down', await testbed(['down']));
}

async function buildBoth(into: string): Promise<void> {
  await build('next', `${packageJson.version}+next`, into);
  await build('this', packageJson.version, into);
}

/** `deploy/testbed up` would make it too, but after the packages, which the network and a processor have time for meanwhile. */
async function makeImage(): Promise<void> {
  const made = await runProgram(join(deploy, 'testbed-image'), [], { timeout: makingImagesMs });
  outputOf('deploy/testbed-image', made);
}

/** Quick to make, and small: apt's four hashes of a package take emulated processors longer than all else. */
async function build(release: Release, version: string, into: string): Promise<void> {
  const run = await runProgram(join(deploy, 'package'), [version], {
    env: { LEVEL: '1', DIST: into },
    timeout: makingImagesMs,
  });
  outputOf('deploy/package', run);
  const built = (await readdir(into)).find((name) => name.startsWith('orc_')) ?? '';
  await rename(join(into, built), join(into, `orc-${release}.deb`));
}
