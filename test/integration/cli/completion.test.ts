import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Pod } from '../../../api/pod.ts';
import { parseObject } from '../../../api/prepare.ts';
import { orc } from '../../support/orc-cli.ts';
import { openTlsWorld, type TlsWorld } from '../../support/tls-world.ts';

const root = join(import.meta.dirname, '../../..');
let world: TlsWorld;
/** On the PATH: a command line is completed by the program that it names. */
let bin: string;

beforeAll(async () => {
  bin = mkdtempSync(join(tmpdir(), 'orc-bin-'));
  symlinkSync(join(root, 'orc'), join(bin, 'orc'));
  world = await openTlsWorld();
  const containers = [
    { name: 'web', image: 'web:1' },
    { name: 'proxy', image: 'proxy:1' },
  ];
  for (const name of ['web-1', 'web-2']) {
    const pod = parseObject(
      Pod,
      { metadata: { name }, spec: { containers } },
      { namespace: 'default' },
    );
    if ('errors' in pod) throw new Error(JSON.stringify(pod.errors));
    await world.objects.create(Pod, pod.object);
  }
});

afterAll(async () => {
  rmSync(bin, { recursive: true });
  await world.close();
});

/** What bash puts in the place of the word at the end of the line. */
async function completedByBash(line: string): Promise<readonly string[]> {
  const script = `source deploy/completion/orc
    COMP_LINE=$1 COMP_POINT=\${#1}
    _orc && printf '%s\\n' "\${COMPREPLY[@]}"`;
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}`, KUBECONFIG: world.kubeconfig };
  const child = spawn('bash', ['-c', script, 'bash', line], { cwd: root, env });
  const out = await text(child.stdout);
  return out.split('\n').filter((word) => word !== '');
}

it.each([
  ['orc rol', ['rollout']],
  ['orc dev --no', ['--nodes']],
  ['orc get pods ', ['web-1', 'web-2']],
  ['orc logs web-1 -c ', ['web', 'proxy']],
  ['orc describe pod/web-2', ['pod/web-2']],
  ['orc -n ', ['default']],
  ['orc get --namespace=de', ['default']],
  ['orc get -n elsewhere pods ', []],
  ['orc get nonsense ', []],
])('bash completes "%s"', async (line, expected) => {
  expect(await completedByBash(line)).toEqual(expected);
});

it('gives up on a controller that doesn’t answer, within seconds and without a word', async () => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  await new Promise((listening) => silent.once('listening', listening));
  const { port } = silent.address() as { port: number };
  const kubeconfig = readFileSync(world.kubeconfig, 'utf8');
  const directory = mkdtempSync(join(tmpdir(), 'orc-silent-'));
  const path = join(directory, 'kubeconfig');
  writeFileSync(path, kubeconfig.replace(/server: .*/, `server: https://127.0.0.1:${port}`));
  const startedAt = performance.now();
  const run = await orc(['__complete', '--', 'get', 'pods', ''], { kubeconfig: path });
  expect(run).toEqual({ code: 1, out: '', err: '' });
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  silent.close();
  rmSync(directory, { recursive: true });
});
