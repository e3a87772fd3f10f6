import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { beforeAll, expect, it } from 'vitest';
import { useDevCluster } from '../support/dev-cluster.ts';
import { findKubectls, startKubectl } from '../support/kubectl.ts';
import { helloContainer, helloImage, idle, shell, shellPod } from '../support/manifests.ts';
import { startOrc } from '../support/orc-cli.ts';
import { readyPod } from '../support/pod-states.ts';
import { waitFor } from '../support/wait-for.ts';

/** A shell, a file and a port of a real pod, by orc and by kubectl, with a real terminal. */
const cluster = useDevCluster({ nodes: 2 });
const orc = (...args: readonly string[]) => cluster().orc(...args);
const kubectls = findKubectls();

beforeAll(async () => {
  await cluster().create(
    shellPod('idle', shell(idle)),
    shellPod('cat', shell('exec cat', { stdin: true })),
    shellPod('hello', helloContainer()),
  );
  for (const name of ['idle', 'cat', 'hello']) await cluster().until('pods', readyPod(name));
}, 60_000);

function onTerminal(...args: readonly string[]) {
  const running = startOrc(args, { kubeconfig: cluster().kubeconfig, terminal: true });
  const type = (keys: string) => void running.child.stdin?.write(keys);
  const shows = (text: string) => waitFor(text, () => running.out().includes(text), 15_000);
  return { ...running, type, shows };
}

it('is a shell on a terminal: its size, Ctrl-C, the exit code', async () => {
  const { type, shows, ended } = onTerminal('exec', '-it', 'idle', '--', 'sh');
  await shows('# ');
  type('stty size; echo done$((1+1))\r');
  await shows('done2');
  type('echo asleep$((2+2)); sleep 600\r');
  await shows('asleep4');
  type('\u0003');
  await shows('^C');
  type('echo again$((1+2))\r');
  await shows('again3');
  type('exit 7\r');
  expect(await ended).toMatchObject({ code: 7, out: expect.stringContaining('24 80\r') });
});

it('runs a pod until it ends, with its input, output and exit code, and deletes it', async () => {
  const { type, shows, ended } = onTerminal(
    ...['run', '-it', '--rm', 'shell', '--image', helloImage, '--restart', 'Never'],
    ...['--command', '--', 'sh'],
  );
  await shows('press Enter');
  type('\r');
  await shows('# ');
  type('exit 5\r');
  expect(await ended).toMatchObject({ code: 5, out: expect.stringContaining('deleted') });
  const batch = await orc(
    ...['run', '--rm', 'batch', '--image', helloImage, '--restart', 'Never', '--command', '--'],
    ...['sh', '-c', 'echo all of it; exit 3'],
  );
  expect(batch).toMatchObject({ code: 3, out: 'all of it\n' });
}, 60_000);

it('attaches to what runs, and lets go of it', async () => {
  const running = startOrc(['attach', '-i', 'cat'], { kubeconfig: cluster().kubeconfig });
  await waitFor('an echo', () => {
    running.child.stdin?.write('to and fro\n');
    return running.out().includes('to and fro');
  });
  running.child.kill('SIGINT');
  expect((await running.ended).code).toBe(130);
  expect((await orc('get', 'pod', 'cat', '-o', 'name')).code).toBe(0);
});

it('copies files both ways', async () => {
  const here = join(cluster().dataDir, 'copied');
  await mkdir(here);
  await writeFile(join(here, 'big'), Buffer.alloc(8_000_000, 'copied '));
  expect(await orc('cp', here, 'idle:/tmp/')).toMatchObject({ code: 0, err: '' });
  expect(await orc('cp', 'idle:/tmp/copied/big', join(here, 'back'))).toMatchObject({ code: 0 });
  const [sent, back] = await Promise.all(['big', 'back'].map((n) => readFile(join(here, n))));
  expect(back?.equals(sent ?? Buffer.alloc(0))).toBe(true);
});

const get = async (port: number) => {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  await once(socket, 'connect');
  socket.write('GET / HTTP/1.0\r\n\r\n');
  return (await buffer(socket)).toString();
};

const localPort = (out: () => string) =>
  waitFor('it', () => Number(/127\.0\.0\.1:(\d+) ->/.exec(out())?.[1]) || undefined, 10_000);

it('forwards a port, for twenty at once', async () => {
  const running = startOrc(['port-forward', 'hello', ':http'], {
    kubeconfig: cluster().kubeconfig,
  });
  const port = await localPort(running.out);
  const answers = await Promise.all(Array.from({ length: 20 }, () => get(port)));
  for (const answer of answers) expect(answer).toContain('hello from hello');
  running.child.kill('SIGINT');
  expect((await running.ended).code).toBe(0);
});

it.each([...kubectls.slice(0, 1), ...kubectls.slice(-1)])(
  'looks into a running pod with kubectl $version debug',
  async (kubectl) => {
    const options = {
      kubeconfig: cluster().kubeconfig,
      cacheDir: join(cluster().dataDir, kubectl.version),
    };
    const run = (...args: readonly string[]) => startKubectl(kubectl, args, options).ended;
    const name = `look-${kubectl.version.replace('.', '-')}`;
    const script = 'read line; echo $line; cat /proc/1/cmdline; echo; sleep 60';
    const debug = startKubectl(
      kubectl,
      [
        ...['debug', 'hello', '--image', helloImage, '--target', 'hello', '-c', name, '-i'],
        ...['--', 'sh', '-c', script],
      ],
      { ...options, input: 'seen from inside\n' },
    );
    await waitFor('what it sees', () => debug.out().includes('inside\n/'), 20_000);
    expect(debug.out()).toContain('seen from inside');
    expect((await run('logs', 'hello', '-c', name)).out).toContain('seen from inside');
    const page = ['wget', '-qO-', 'http://127.0.0.1:8080'];
    const inside = await run('exec', 'hello', '-c', name, '--', ...page);
    expect(inside.out).toContain('hello from hello');
    debug.stop();
    await debug.ended;
    const pods = await run('get', 'pod', 'hello', '-o', 'jsonpath={.status}');
    const status = JSON.parse(pods.out);
    expect(status.containerStatuses[0].restartCount).toBe(0);
    expect(status.ephemeralContainerStatuses.at(-1)).toMatchObject({
      name,
      state: { running: {} },
    });
  },
  60_000,
);

it('is copied by kubectl debug, which is refused the whole of a node by name', async () => {
  const [kubectl] = kubectls;
  if (!kubectl) return;
  const options = { kubeconfig: cluster().kubeconfig, cacheDir: join(cluster().dataDir, 'copies') };
  const debug = (...args: readonly string[]) =>
    startKubectl(kubectl, ['debug', ...args, '--image', helloImage, '--attach=false'], options)
      .ended;
  expect(await debug('idle', '--copy-to', 'copy')).toMatchObject({ code: 0 });
  await cluster().until('pods', readyPod('copy'));
  expect(await debug('node/host1')).toMatchObject({
    code: 1,
    err: expect.stringContaining('spec.hostPID: not supported by orc yet'),
  });
}, 30_000);

it.each(kubectls)(
  'does the same for kubectl $version',
  async (kubectl) => {
    const options = {
      kubeconfig: cluster().kubeconfig,
      cacheDir: join(cluster().dataDir, kubectl.version),
    };
    const run = (...args: readonly string[]) => startKubectl(kubectl, args, options).ended;
    const file = join(cluster().dataDir, `back-${kubectl.version}`);
    expect(await run('cp', 'idle:/bin/busybox', file)).toMatchObject({ code: 0 });
    expect(await run('exec', 'idle', '--', 'sh', '-c', 'exit 4')).toMatchObject({ code: 4 });
    const forward = startKubectl(kubectl, ['port-forward', 'hello', ':8080'], options);
    expect(await get(await localPort(forward.out))).toContain('hello from hello');
    forward.stop();
    await forward.ended;
    const name = `run-${kubectl.version.replace('.', '-')}`;
    const input = startKubectl(
      kubectl,
      [
        ...['run', name, '--image', helloImage, '-i', '--rm', '--restart=Never', '--quiet'],
        ...['--command', '--', 'sh', '-c', 'read line; sleep 1; echo got $line; exit 6'],
      ],
      { ...options, input: 'a line\n' },
    );
    expect(await input.ended).toMatchObject({
      code: 6,
      out: expect.stringContaining('got a line'),
    });
  },
  60_000,
);
