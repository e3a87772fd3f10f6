import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Kind } from '../../../api/kind.ts';
import { Pod } from '../../../api/pod.ts';
import { parseObject } from '../../../api/prepare.ts';
import type { Fields } from '../../../api/schema.ts';
import { Service } from '../../../api/service.ts';
import { type LocalPodAccess, localPodAccess } from '../../support/local-pod-access.ts';
import { orc, startOrc } from '../../support/orc-cli.ts';
import { openTlsWorld, type TlsWorld } from '../../support/tls-world.ts';
import { waitFor } from '../../support/wait-for.ts';

/** Containers are processes of this machine, their ports are its ports: see localPodAccess. */
let world: TlsWorld;
let pods: LocalPodAccess;
let echo: Server;
let port: number;

beforeAll(async () => {
  pods = localPodAccess();
  world = await openTlsWorld({ podAccess: pods });
  echo = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
  await once(echo.listen(0, '127.0.0.1'), 'listening');
  ({ port } = echo.address() as AddressInfo);
  await add(Pod, {
    metadata: { name: 'web', labels: { app: 'web' } },
    spec: {
      nodeName: 'n1',
      containers: [{ name: 'web', image: 'web:1', ports: [{ name: 'echo', containerPort: port }] }],
    },
  });
  await add(Service, {
    metadata: { name: 'web' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'echo' }] },
  });
});

afterAll(async () => {
  echo.close();
  await world.close();
});

async function add<F extends Fields>(kind: Kind<F>, manifest: object): Promise<void> {
  const parsed = parseObject(kind, manifest, { namespace: 'default' });
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  await world.objects.create(kind, parsed.object);
}

const run = (...args: readonly string[]) => orc(args, { kubeconfig: world.kubeconfig });

describe('orc port-forward', () => {
  const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

  async function through(local: number, bytes: Buffer): Promise<Buffer> {
    const socket = connect({ host: '127.0.0.1', port: local, allowHalfOpen: true });
    socket.end(bytes);
    return buffer(socket);
  }

  async function forwarding(target: string, ...ports: readonly string[]) {
    const running = startOrc(['port-forward', target, ...ports], { kubeconfig: world.kubeconfig });
    const local = await waitFor(
      'the forwarding',
      () => Number(/127\.0\.0\.1:(\d+) ->/.exec(running.out())?.[1]) || undefined,
    );
    const stop = async () => {
      running.child.kill('SIGINT');
      return (await running.ended).code;
    };
    return { running, local, stop };
  }

  it('carries megabytes intact, many connections at once, until Ctrl-C', async () => {
    const { local, stop } = await forwarding('svc/web', ':80');
    const all = [16_000_000, ...Array.from({ length: 20 }, (_, i) => i * 5_000)];
    const sent = all.map((length) => Buffer.alloc(length, 'to the pod and back, '));
    const back = await Promise.all(sent.map((bytes) => through(local, bytes)));
    expect(back.map(digest)).toEqual(sent.map(digest));
    const open = connect(local, '127.0.0.1');
    await once(open, 'connect');
    expect(await stop()).toBe(0);
    open.destroy();
  });

  it('says why a connection came to nothing, and goes on', async () => {
    const { running, local, stop } = await forwarding('web', ':1');
    await through(local, Buffer.from('hello'));
    await waitFor('the reason', () => running.err().includes('nothing listens on port 1'));
    expect(running.err()).toMatch(/^orc: a connection to port 1: /);
    expect(await stop()).toBe(0);
  });

  it('says what it can’t do: a port in use, a port that isn’t there, no pod', async () => {
    expect(await run('port-forward', 'web', `${port}:80`)).toEqual({
      ...{ code: 1, out: '' },
      err: `orc: port ${port} of 127.0.0.1 is in use: name another, or :80 for any\n`,
    });
    expect((await run('port-forward', 'svc/web', ':81')).err).toBe(
      'orc: service/web has no port 81; it has 80\n',
    );
    expect((await run('port-forward', 'gone', ':80')).err).toBe('orc: pods "gone" not found\n');
    expect((await run('port-forward', 'web', '80:x:y')).code).toBe(2);
  });
});

describe('a terminal', () => {
  it('is as it was when the command is ended from outside', async () => {
    const orcPath = join(import.meta.dirname, '../../../orc');
    const script = `sh -c 'echo pid=$$; exec ${orcPath} exec -it web -- cat'; stty -a`;
    const child = spawn('script', ['-qfec', script, '/dev/null'], {
      env: { PATH: process.env.PATH, KUBECONFIG: world.kubeconfig },
    });
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    const pid = await waitFor('its pid', () => Number(/pid=(\d+)/.exec(out)?.[1]) || undefined);
    await waitFor('the command to run', () => pods.seen.sizes.length > 0);
    child.stdin.write('\u0003');
    await waitFor('Ctrl-C to come back as a key', () => out.includes('\u0003'));
    process.kill(pid, 'SIGTERM');
    await waitFor('stty', () => /-?icanon/.test(out));
    expect(/-?\bicanon\b/.exec(out)?.[0]).toBe('icanon');
    child.stdin.end();
    await once(child, 'close');
  });
});

describe('orc attach', () => {
  it('joins what runs, and refuses input where none is taken', async () => {
    expect(await run('attach', '-i', 'web')).toEqual({
      ...{ code: 1, out: '' },
      err: 'orc: container web takes no input (stdin: true): attach without -i\n',
    });
    expect(await run('attach', 'web')).toEqual({ code: 0, out: '', err: '' });
  });
});

describe('orc cp', () => {
  it('copies files and directories both ways, large ones too', async () => {
    const [here, there] = [join(world.dir, 'here'), join(world.dir, 'there')];
    await mkdir(join(here, 'sub'), { recursive: true });
    await mkdir(there);
    const big = Buffer.alloc(20_000_000, 'copied ');
    await writeFile(join(here, 'big'), big);
    await writeFile(join(here, 'sub/run.sh'), '#!/bin/sh\n', { mode: 0o755 });
    await symlink('big', join(here, 'link'));
    const done = { code: 0, out: '', err: '' };
    expect(await run('cp', here, `web:${there}`)).toEqual(done);
    expect(await run('cp', join(here, 'big'), `web:${there}/renamed`)).toEqual(done);
    expect((await readdir(there, { recursive: true })).sort()).toEqual([
      'here',
      'here/big',
      'here/link',
      'here/sub',
      'here/sub/run.sh',
      'renamed',
    ]);
    const back = join(world.dir, 'back');
    expect(await run('cp', `web:${there}/here`, back)).toEqual(done);
    expect(await run('cp', `svc/web:${there}/renamed`, back)).toEqual(done);
    expect((await readdir(back, { recursive: true })).sort()).toEqual([
      'big',
      'link',
      'renamed',
      'sub',
      'sub/run.sh',
    ]);
    expect(big.equals(await readFile(join(back, 'link')))).toBe(true);
    expect((await stat(join(back, 'sub/run.sh'))).mode & 0o777).toBe(0o755);
  });

  it('says what was wrong: no such file on either side, two places here', async () => {
    expect((await run('cp', '/no/such', 'web:/tmp')).err).toContain("/no/such can't be read");
    const missing = await run('cp', 'web:/no/such', world.dir);
    expect(missing).toMatchObject({ code: 1, err: expect.stringContaining('No such file') });
    expect((await run('cp', '/a', '/b')).code).toBe(2);
  });
});
