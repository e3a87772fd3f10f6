import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../base/clock.ts';
import { silentLog } from '../../../base/log.ts';
import { systemRng } from '../../../base/rng.ts';
import { openEtcdStore } from '../../../controller/store/etcd-store.ts';
import { createJoinToken } from '../../../dev/controllers.ts';
import { freePorts, startEtcd, type TestEtcd } from '../../support/etcd.ts';
import { orc } from '../../support/orc-cli.ts';
import { waitFor } from '../../support/wait-for.ts';

const executable = new URL('../../../orc.ts', import.meta.url).pathname;

let directory: string;
let etcd: TestEtcd;
let first: Controller;
const children: ChildProcess[] = [];

interface Controller {
  readonly child: ChildProcess;
  readonly dir: string;
  readonly url: string;
  readonly socket: string;
  /** Resolves with true when it is ready, with false when it has ended instead. */
  readonly ready: Promise<boolean>;
  output(): string;
}

/** `orc controller` on the same etcd, with a data directory of its own. */
async function startController(name: string, ...flags: string[]): Promise<Controller> {
  const [port] = await freePorts(1);
  const dir = join(directory, name);
  const socket = join(directory, `${name}.sock`);
  const args = [
    ...['controller', '--data-dir', dir, '--etcd', etcd.urls[0] ?? '', '--api-socket', socket],
    ...['--api-address', `127.0.0.1:${port}`, '--agent-address', '127.0.0.1:0', ...flags],
  ];
  const child = spawn(process.execPath, [executable, ...args]);
  children.push(child);
  let output = '';
  const ready = new Promise<boolean>((resolve) => {
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        output += chunk;
        if (output.includes('orc controller: ready')) resolve(true);
      });
    child.once('close', () => resolve(false));
  });
  return { child, dir, socket, url: `https://127.0.0.1:${port}`, ready, output: () => output };
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'orc-controllers-'));
  etcd = await startEtcd();
  first = await startController('first');
  expect(await first.ready, first.output()).toBe(true);
}, 60_000);
afterAll(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'close');
  }
  await etcd.stop();
  await rm(directory, { recursive: true });
});

const newToken = (use: 'node' | 'controller') =>
  createJoinToken(join(first.dir, 'pki'), first.socket, use);

const joinFlags = (token: string) => ['--join', first.url, '--token', token];

const isLeading = ({ output }: Controller) => output().includes('"msg":"leading"');

async function scaleTo(controller: Controller, name: string, replicas: number): Promise<void> {
  const kubeconfig = join(controller.dir, 'admin.kubeconfig');
  const manifest = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'c', image: 'registry:5000/hello:1' }] },
      },
    },
  };
  const applied = await orc(['apply', '-f', '-'], { kubeconfig, input: JSON.stringify(manifest) });
  expect(applied).toMatchObject({ code: 0 });
  await waitFor(
    `${replicas} pods of ${name}`,
    async () => {
      const { out } = await orc(['get', 'pods', '-l', `app=${name}`], { kubeconfig });
      return out.match(/Pending/g)?.length === replicas;
    },
    10_000,
  );
}

describe('controllers on one store', { timeout: 60_000 }, () => {
  it('refuse one that has not joined, and one with a node’s token, in words that say what to do', async () => {
    const stranger = await startController('stranger');
    expect(await stranger.ready).toBe(false);
    expect(stranger.output()).toContain('join with --join');
    const late = await startController('late', ...joinFlags(await newToken('node')));
    expect(await late.ready).toBe(false);
    expect(late.output()).toContain('is for the other role');
  });

  it('share the keys, which are not in the store, and one leads', async () => {
    const token = await newToken('controller');
    const second = await startController('second', ...joinFlags(token));
    expect(await second.ready, second.output()).toBe(true);
    for (const file of ['pki/ca.key', 'pki/ca.crt', 'store.key'])
      expect(await readFile(join(second.dir, file)), file).toEqual(
        await readFile(join(first.dir, file)),
      );
    for (const file of ['pki/ca.key', 'store.key'])
      expect((await stat(join(second.dir, file))).mode & 0o777, file).toBe(0o600);
    const again = await startController('third', ...joinFlags(token));
    expect(await again.ready).toBe(false);
    expect(again.output()).toContain('has been used');
    await expectNoKeysInStore();
    expect([isLeading(first), isLeading(second)]).toEqual([true, false]);
    await scaleTo(second, 'by-the-follower', 2);
  });

  it('are led by the next one when the leader is killed, which goes on with what was wanted', async () => {
    const token = await newToken('controller');
    const next = await startController('next', ...joinFlags(token));
    expect(await next.ready, next.output()).toBe(true);
    first.child.kill('SIGKILL');
    await scaleTo(next, 'by-the-follower', 3);
  });
});

async function expectNoKeysInStore(): Promise<void> {
  const deps = { clock: systemClock(), rng: systemRng(), log: silentLog };
  const store = await openEtcdStore({ urls: etcd.urls, ...deps });
  const { entries } = await store.list('/');
  await store.close();
  const sealing = await readFile(join(first.dir, 'store.key'));
  const authority = (await readFile(join(first.dir, 'pki/ca.key'), 'utf8')).split('\n')[1] ?? '';
  const secrets = [sealing.toString('latin1'), sealing.toString('base64'), authority];
  for (const { key, value } of entries)
    for (const secret of secrets)
      expect(Buffer.from(value).includes(secret, 0, 'latin1'), key).toBe(false);
}
