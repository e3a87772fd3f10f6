import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type CheckTarget, runCheck } from '../../../../agent/pods/probe-check.ts';
import type { ContainerExec, ContainerPort } from '../../../../agent/ports.ts';
import type { Probe } from '../../../../api/probe.ts';
import { aPod } from '../../../support/a-pod.ts';
import { type ScriptedExec, scriptedExec } from '../../../support/scripted-exec.ts';
import { waitFor } from '../../../support/wait-for.ts';

const never = new AbortController().signal;
const open: Server[] = [];
afterEach(() => {
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

function probeOf(fields: Readonly<Record<string, unknown>>): Probe {
  const pod = aPod({ containers: [{ name: 'web', image: 'web:1', readinessProbe: fields }] });
  return pod.spec.containers[0]!.readinessProbe!;
}

function targetOf(port: number, exec: ContainerPort['exec'] = neverExec): CheckTarget {
  const ports = [{ name: 'http', containerPort: port }];
  const pod = aPod({ containers: [{ name: 'web', image: 'web:1', ports }] });
  const id = { uid: 'uid-1', name: 'web', attempt: 0 };
  const containers = { exec } satisfies Pick<ContainerPort, 'exec'>;
  return { id, container: pod.spec.containers[0]!, podIp: '127.0.0.1', containers };
}
const neverExec = () => Promise.reject(new Error('nothing is to be run'));

async function serve(answer: RequestListener): Promise<number> {
  const server = createServer(answer);
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

describe('an HTTP check', () => {
  it.each([
    [200, { ok: true }],
    [302, { ok: true }],
    [399, { ok: true }],
    [404, { ok: false, why: 'HTTP probe failed with statuscode: 404' }],
    [503, { ok: false, why: 'HTTP probe failed with statuscode: 503' }],
  ])('of an answer %i is %j', async (code, outcome) => {
    const port = await serve((_, response) => response.writeHead(code).end());
    const probe = probeOf({ httpGet: { port, path: '/healthz' } });
    expect(await runCheck(probe, targetOf(port), never)).toEqual(outcome);
  });

  it('sends path and headers to a port by its name', async () => {
    const seen: unknown[] = [];
    const port = await serve(({ url, headers }, response) => {
      seen.push(url, headers['x-probe'], headers['host']);
      response.end();
    });
    const httpHeaders = [
      { name: 'X-Probe', value: 'yes' },
      { name: 'Host', value: 'web.example' },
    ];
    const probe = probeOf({ httpGet: { port: 'http', path: '/a?b=c', httpHeaders } });
    expect(await runCheck(probe, targetOf(port), never)).toEqual({ ok: true });
    expect(seen).toEqual(['/a?b=c', 'yes', 'web.example']);
  });

  it('doesn’t wait for a body that has no end', async () => {
    const port = await serve((_, response) => response.writeHead(200).write('x'));
    const probe = probeOf({ httpGet: { port, path: '/' } });
    expect(await runCheck(probe, targetOf(port), never)).toEqual({ ok: true });
  });

  it('fails where nobody listens', async () => {
    const outcome = await runCheck(
      probeOf({ httpGet: { port: 1, path: '/' } }),
      targetOf(1),
      never,
    );
    expect(outcome).toMatchObject({ ok: false, why: expect.stringContaining('ECONNREFUSED') });
  });

  it('fails when it is aborted', async () => {
    const port = await serve(() => {});
    const abort = new AbortController();
    const check = runCheck(probeOf({ httpGet: { port } }), targetOf(port), abort.signal);
    abort.abort();
    expect(await check).toMatchObject({ ok: false });
  });
});

describe('a TCP check', () => {
  it('succeeds when the connection does', async () => {
    const port = await serve(() => {});
    const probe = probeOf({ tcpSocket: { port: 'http' } });
    expect(await runCheck(probe, targetOf(port), never)).toEqual({ ok: true });
  });
  it('fails where nobody listens', async () => {
    const outcome = await runCheck(probeOf({ tcpSocket: { port: 1 } }), targetOf(1), never);
    expect(outcome).toMatchObject({ ok: false, why: expect.stringContaining('ECONNREFUSED') });
  });
  it('fails for a port that the container doesn’t name', async () => {
    const outcome = await runCheck(probeOf({ tcpSocket: { port: 'nope' } }), targetOf(1), never);
    expect(outcome).toEqual({ ok: false, why: 'the container has no port named nope' });
  });
});

describe('a command', () => {
  const probe = probeOf({ exec: { command: ['check', 'me'] } });

  async function started(signal = never) {
    const commands: (readonly string[])[] = [];
    const process: ScriptedExec = scriptedExec();
    const exec = async (_: unknown, { command }: ContainerExec) => {
      commands.push(command);
      return process.session;
    };
    const outcome = runCheck(probe, targetOf(1, exec), signal);
    await waitFor('the command runs', () => commands.length === 1);
    return { commands, process, outcome };
  }

  it('succeeds with exit code 0', async () => {
    const { commands, process, outcome } = await started();
    process.exit(0);
    expect(await outcome).toEqual({ ok: true });
    expect(commands).toEqual([['check', 'me']]);
    expect(process.isClosed()).toBe(true);
  });
  it('fails with another one, and says what it printed', async () => {
    const { process, outcome } = await started();
    process.print('stderr', Buffer.from('no database\n'));
    process.exit(1);
    expect(await outcome).toEqual({ ok: false, why: 'no database' });
  });
  it('says the exit code when it printed nothing', async () => {
    const { process, outcome } = await started();
    process.exit(7);
    expect(await outcome).toEqual({ ok: false, why: 'exit code 7' });
  });
  it('keeps only so much of what it prints', async () => {
    const { process, outcome } = await started();
    for (let i = 0; i < 100; i++) process.print('stdout', Buffer.alloc(1000, 'x'));
    process.exit(1);
    expect(await outcome).toEqual({ ok: false, why: 'x'.repeat(1024) });
  });
  it('is hung up on, which ends it, when its time is over', async () => {
    const abort = new AbortController();
    const { process } = await started(abort.signal);
    abort.abort();
    expect(process.isClosed()).toBe(true);
  });
  it('is hung up on too when its time was over while it was being started', async () => {
    const abort = new AbortController();
    const process = scriptedExec();
    const exec = async () => {
      abort.abort();
      return process.session;
    };
    void runCheck(probe, targetOf(1, exec), abort.signal);
    await waitFor('the session is closed', () => process.isClosed());
  });
});
