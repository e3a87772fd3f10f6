import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ConfigMap } from '../../../api/config-map.ts';
import type { Secret } from '../../../api/secret.ts';
import { connect } from '../../../cli/client.ts';
import { readConnection } from '../../../cli/kubeconfig.ts';
import { freePorts, startEtcd, type TestEtcd } from '../../support/etcd.ts';
import { orc } from '../../support/orc-cli.ts';
import { runProgram } from '../../support/run-program.ts';
import { waitFor } from '../../support/wait-for.ts';

const executable = new URL('../../../orc.ts', import.meta.url).pathname;
const leap = 1_000_000_000;

let directory: string;
let etcd: TestEtcd | undefined;
let running: Controller | undefined;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'orc-backup-'));
});
afterEach(async () => {
  await stop();
  await etcd?.stop();
  etcd = undefined;
});
afterAll(() => rm(directory, { recursive: true }));

interface Controller {
  readonly child: ChildProcess;
  readonly kubeconfig: string;
  /** That it leads with. */
  readonly epoch: number;
}

/** Flags that say which store, and where the keys are. */
const places = {
  sqlite: (name: string) => ['--data-dir', join(directory, name)],
  etcd: (name: string) => ['--data-dir', join(directory, name), '--etcd', etcd?.urls[0] ?? ''],
};

async function start(place: readonly string[]): Promise<Controller> {
  const [port] = await freePorts(1);
  const addresses = ['--api-address', `127.0.0.1:${port}`, '--agent-address', '127.0.0.1:0'];
  const child = spawn(process.execPath, [executable, 'controller', ...place, ...addresses]);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => void (output += chunk));
  const epoch = () => /"epoch":(\d+)[^\n]*"msg":"leading"/.exec(output)?.[1];
  const kubeconfig = join(place[1] ?? '', 'admin.kubeconfig');
  running = { child, kubeconfig, epoch: 0 };
  await waitFor(
    'a controller that leads',
    async () => {
      expect(child.exitCode, output).toBeNull();
      return output.includes('controller: ready') && epoch() !== undefined;
    },
    30_000,
  );
  return (running = { child, kubeconfig, epoch: Number(epoch()) });
}

async function stop(): Promise<void> {
  const { child } = running ?? {};
  running = undefined;
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'close');
}

const clientOf = async ({ kubeconfig }: Controller) =>
  connect(await readConnection(kubeconfig, undefined), () => {});
const collection = '/api/v1/namespaces/default';

/** Writers that go on until they are told to stop; each writes one object after the other. */
async function writers(controller: Controller, count: number) {
  const client = await clientOf(controller);
  const acknowledged: string[] = [];
  let isOver = false;
  const write = async (writer: number) => {
    for (let n = 0; !isOver; n++) {
      const name = `w${writer}-${n}`;
      await client.send({
        method: 'POST',
        path: `${collection}/configmaps`,
        body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { n: String(n) } },
      });
      acknowledged.push(name);
    }
  };
  const all = Promise.all(Array.from({ length: count }, (_, i) => write(i)));
  // A test that fails for another reason ends the controller under them.
  all.catch(() => {});
  return {
    acknowledged,
    async stop() {
      isOver = true;
      await all;
      client.close();
    },
  };
}

/** Of each writer all up to its last one: no state had one without those before. */
function expectOneState(names: readonly string[]): void {
  const byWriter = Map.groupBy(names, (name) => name.split('-')[0]);
  for (const [writer, mine] of byWriter) {
    const numbers = mine.map((name) => Number(name.split('-')[1])).sort((a, b) => a - b);
    expect(numbers, writer).toEqual(numbers.map((_, i) => i));
  }
}

async function listOf(controller: Controller) {
  const client = await clientOf(controller);
  const { body } = await client.send<{
    metadata: { resourceVersion: string };
    items: readonly ConfigMap[];
  }>({ path: `${collection}/configmaps` });
  const secret = await client.send<Secret>({ path: `${collection}/secrets/word` });
  client.close();
  return {
    revision: Number(body.metadata.resourceVersion),
    names: body.items.map(({ metadata }) => metadata.name),
    secret: Buffer.from(secret.body.data?.word ?? '', 'base64').toString(),
  };
}

async function watchFrom(controller: Controller, revision: number): Promise<string> {
  const client = await clientOf(controller);
  const query = { watch: true, resourceVersion: revision, timeoutSeconds: 1 };
  const answer = await text(await client.open({ path: `${collection}/configmaps`, query }));
  client.close();
  return answer;
}

const applySecret = ({ kubeconfig }: Controller) =>
  orc(['apply', '-f', '-'], {
    kubeconfig,
    input: JSON.stringify({
      ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'word' } },
      stringData: { word: 'open sesame' },
    }),
  });

const restore = (...args: readonly string[]) =>
  runProgram(process.execPath, [executable, 'restore', ...args]);

describe('a backup', { timeout: 120_000 }, () => {
  it.each([
    ['sqlite', 'etcd'],
    ['etcd', 'sqlite'],
  ] as const)(
    'of %s, made under load, is one state with all that was acknowledged; %s goes on from it',
    async (from, to) => {
      etcd = await startEtcd();
      const file = join(directory, `${from}.backup`);
      const before = await start(places[from](`${from}-before`));
      expect(await applySecret(before)).toMatchObject({ code: 0 });
      const load = await writers(before, 4);
      await waitFor('some writes', async () => load.acknowledged.length > 100, 20_000);
      const due = [...load.acknowledged];
      const backup = await orc(['backup', file], { kubeconfig: before.kubeconfig });
      expect(backup).toMatchObject({ code: 0, err: '' });
      await load.stop();
      const left = await listOf(before);
      await stop();
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      expect(await readFile(file, 'latin1')).not.toContain('open sesame');

      const place = places[to](`${from}-after`);
      expect(await restore(file, ...place)).toMatchObject({ code: 0, err: '' });
      const after = await start(place);
      const found = await listOf(after);
      expect(due.filter((name) => !found.names.includes(name))).toEqual([]);
      expectOneState(found.names);
      expect(found.secret).toBe('open sesame');
      expect(found.revision).toBeGreaterThan(left.revision);
      expect(after.epoch).toBeGreaterThan(before.epoch + leap - 1);
      expect(await watchFrom(after, left.revision), 'watches begin anew').toContain('"code":410');
      await stop();
      const again = await restore(file, ...place);
      expect(again).toMatchObject({ code: 1, err: expect.stringMatching(/is not empty|leads/) });
    },
  );

  it('that is not whole is refused by name, and nothing is made; nor is one put over a store', async () => {
    const file = join(directory, 'whole.backup');
    const controller = await start(places.sqlite('whole'));
    expect(await orc(['backup', file], { kubeconfig: controller.kubeconfig })).toMatchObject({
      code: 0,
      err: '',
    });
    await stop();
    const whole = await readFile(file);
    const odd = join(directory, 'odd.backup');
    await writeFile(odd, whole.subarray(0, -30));
    const words = `${odd}: the backup is cut off`;
    const run = await restore(odd, ...places.sqlite('nothing'));
    expect(run).toMatchObject({ code: 1, err: expect.stringContaining(words) });
    expect(await readdir(directory)).not.toContain('nothing');
    const absent = await restore(join(directory, 'absent'), ...places.sqlite('nothing'));
    expect(absent).toMatchObject({ code: 1, err: expect.stringContaining('ENOENT') });
    const taken = await restore(file, ...places.sqlite('whole'));
    expect(taken).toMatchObject({ code: 1, err: expect.stringContaining('is not empty') });
  });
});
