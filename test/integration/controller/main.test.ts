import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const executable = new URL('../../../orc.ts', import.meta.url).pathname;
const deadlineMs = 20_000;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'orc-controller-'));
});
afterEach(() => rm(directory, { recursive: true }));

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a controller until it has ended; `onReady` gets a way to end it. */
async function runController(port: number, onReady?: (stop: () => void) => void): Promise<Ended> {
  const address = ['--api-address', `127.0.0.1:${port}`, '--agent-address', '127.0.0.1:0'];
  const args = [executable, 'controller', '--data-dir', directory, '--log-level', 'error'];
  const child = spawn(process.execPath, [...args, ...address], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: deadlineMs,
    killSignal: 'SIGKILL',
  });
  let output = '';
  child.stderr.on('data', (chunk) => (output += chunk));
  child.stdout.on('data', (chunk) => {
    output += chunk;
    if (output.includes('ready')) onReady?.(() => child.kill('SIGTERM'));
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

describe('the controller', { timeout: 3 * deadlineMs }, () => {
  it('ends when it cannot start, so that whoever watches it can start it again', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { code, output } = await runController((other.address() as AddressInfo).port);
    other.close();
    expect(output).toContain('EADDRINUSE');
    expect(code).toBe(1);
  });

  it('stops on SIGTERM; without the key of its Secrets or its authority it does not start again', async () => {
    expect(await runController(0, (stop) => stop())).toMatchObject({ code: 0 });
    for (const file of ['store.key', 'pki/ca.key']) {
      await rename(join(directory, file), join(directory, 'lost'));
      const { code, output } = await runController(0);
      expect(output).toContain('put it back');
      expect(code).toBe(1);
      await rename(join(directory, 'lost'), join(directory, file));
    }
  });
});
