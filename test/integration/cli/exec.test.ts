import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Deployment } from '../../../api/deployment.ts';
import type { Kind } from '../../../api/kind.ts';
import { Pod } from '../../../api/pod.ts';
import { parseObject } from '../../../api/prepare.ts';
import type { Fields } from '../../../api/schema.ts';
import { type LocalPodAccess, localPodAccess } from '../../support/local-pod-access.ts';
import { orc, startOrc } from '../../support/orc-cli.ts';
import { openTlsWorld, type TlsWorld } from '../../support/tls-world.ts';
import { waitFor } from '../../support/wait-for.ts';

/** Containers are processes of this machine: see localPodAccess. */
let world: TlsWorld;
let pods: LocalPodAccess;

beforeAll(async () => {
  pods = localPodAccess();
  world = await openTlsWorld({ podAccess: pods });
  await addPod('web-1');
  await addPod('web-2');
  await add(Deployment, {
    metadata: { name: 'web' },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'web', image: 'web:1' }] },
      },
    },
  });
});

afterAll(() => world.close());

const addPod = (name: string, app = 'web') =>
  add(Pod, {
    metadata: { name, labels: { app } },
    spec: {
      nodeName: 'n1',
      containers: [
        { name: 'web', image: 'web:1' },
        { name: 'side', image: 'web:1' },
      ],
    },
  });

async function add<F extends Fields>(kind: Kind<F>, manifest: object): Promise<void> {
  const parsed = parseObject(kind, manifest, { namespace: 'default' });
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  await world.objects.create(kind, parsed.object);
}

/** As the node's agent would. */
const setAttempt = (
  name: string,
  { containerID, phase }: { readonly containerID: string; readonly phase: Pod['status']['phase'] },
) =>
  world.objects.modify(Pod, { key: { namespace: 'default', name }, part: 'status' }, (stored) => ({
    ...stored,
    status: {
      phase,
      containerStatuses: [
        {
          ...{
            name: 'web',
            image: 'web:1',
            imageID: '',
            ready: true,
            restartCount: 0,
            lastState: {},
          },
          ...{ containerID, state: { running: { startedAt: '2026-01-01T00:00:00Z' } } },
        },
      ],
    },
  }));

const run = (args: readonly string[], input?: string) =>
  orc(args, { kubeconfig: world.kubeconfig, ...(input === undefined ? {} : { input }) });

describe('orc exec', () => {
  it('keeps standard output and standard error apart, and exits as the command does', async () => {
    const script = 'echo out; echo err >&2; exit 3';
    expect(await run(['exec', 'web-1', '--', 'sh', '-c', script])).toEqual({
      ...{ code: 3, out: 'out\n', err: 'err\n' },
    });
  });

  it('gives the command its words as they are, empty ones too', async () => {
    expect((await run(['exec', 'web-1', '--', 'printf', '<%s>', '', 'x'])).out).toBe('<><x>');
  });

  it('picks a pod of a deployment', async () => {
    expect(await run(['exec', 'deploy/web', '--', 'echo', '-n', 'hi'])).toEqual({
      ...{ code: 0, out: 'hi', err: '' },
    });
  });

  it('passes standard input on with -i, to its end, and any amount of it', async () => {
    const much = 'x'.repeat(3_000_000);
    const { code, out } = await run(['exec', '-i', 'web-1', '--', 'cat'], much);
    expect({ code, length: out.length }).toEqual({ code: 0, length: much.length });
    expect((await run(['exec', 'web-1', '--', 'cat'], 'unread')).out).toBe('');
  });

  it('gives the command this terminal’s size and raw keys with -it', async () => {
    const running = startOrc(['exec', '-it', 'web-1', '--', 'cat'], {
      ...{ kubeconfig: world.kubeconfig, terminal: true },
    });
    await waitFor('the size', () => pods.seen.sizes.length > 0);
    running.child.stdin?.write('a\u0003b');
    await waitFor('Ctrl-C to arrive as a key', () => running.out().includes('a\u0003b'));
    running.child.stdin?.end();
    running.child.kill('SIGTERM');
    await running.ended;
  });

  it.each([
    ['-t', '-t needs -i: a terminal is for its input'],
    ['--command', '--command needs one, behind --'],
  ])('starts no pod with %s alone, which would be without effect', async (flag, why) => {
    expect(await run(['run', 'alone', '--image', 'web:1', flag])).toEqual({
      ...{ code: 2, out: '', err: `orc: ${why}\n` },
    });
  });

  it('says what to do when there is no command, no pod, or no such program', async () => {
    expect(await run(['exec', 'web-1'])).toEqual({
      ...{ code: 2, out: '' },
      err: 'orc: say what to run: orc exec web-1 -- COMMAND\n',
    });
    expect(await run(['exec', 'gone', '--', 'ls'])).toEqual({
      ...{ code: 1, out: '' },
      err: 'orc: pods "gone" not found\n',
    });
    expect(await run(['exec', 'web-1', '-c', 'db', '--', 'ls'])).toEqual({
      ...{ code: 1, out: '' },
      err: 'orc: pod web-1 has no container "db"; it has web, side\n',
    });
    const failed = await run(['exec', 'web-1', '--', '/no/such/program']);
    expect(failed.code).toBe(1);
    expect(failed.err).toMatch(/^orc: /);
  });
});

describe('orc logs', () => {
  it('prints what a pod, or one of a deployment, has printed', async () => {
    expect((await run(['logs', 'web-1'])).out).toBe('line 1\nline 2\nline 3\n');
    expect((await run(['logs', 'web-1', '--tail', '1'])).out).toBe('line 1\n');
  });

  it('prefixes the lines of several pods with their names', async () => {
    const { out } = await run(['logs', '-l', 'app=web', '--tail', '1']);
    expect(out).toBe('[pod/web-1/web] line 1\n[pod/web-2/web] line 1\n');
  });

  it('reads all containers of a pod', async () => {
    const { out } = await run(['logs', 'web-1', '--all-containers', '--tail', '1']);
    expect(out).toBe('[pod/web-1/web] line 1\n[pod/web-1/side] line 1\n');
  });

  it('follows pods that come later, and further attempts, until all of them have ended', async () => {
    await addPod('late-1', 'late');
    const args = ['logs', '-f', '-l', 'app=late', '--tail', '1'];
    const running = startOrc(args, { kubeconfig: world.kubeconfig });
    await setAttempt('late-1', { containerID: 'orc://1', phase: 'Running' });
    await waitFor('its log', () => running.out().includes('line 1'));
    await setAttempt('late-1', { containerID: 'orc://2', phase: 'Running' });
    await waitFor('the next attempt', () => running.out().includes('line 3'));
    await addPod('late-2', 'late');
    await setAttempt('late-2', { containerID: 'orc://3', phase: 'Failed' });
    await waitFor('the second pod', () => running.out().includes('late-2/web] line 3'));
    expect(running.child.exitCode).toBe(null);
    await setAttempt('late-1', { containerID: 'orc://2', phase: 'Succeeded' });
    expect((await running.ended).code).toBe(0);
  });

  it('follows ephemeral containers, too', async () => {
    await addPod('looked-into', 'looked-into');
    await setAttempt('looked-into', { containerID: 'orc://5', phase: 'Running' });
    const key = { namespace: 'default', name: 'looked-into' };
    await world.objects.modify(Pod, { key, part: 'all' }, ({ spec, status, ...pod }) => {
      const renamed = <T>(all: readonly T[] = []) =>
        all.slice(0, 1).map((one) => ({ ...one, name: 'debugger', containerID: 'orc://6' }));
      return {
        ...pod,
        spec: { ...spec, ephemeralContainers: renamed(spec.containers) },
        status: { ...status, ephemeralContainerStatuses: renamed(status.containerStatuses) },
      };
    });
    const args = ['logs', '-f', '-l', 'app=looked-into', '--all-containers'];
    const running = startOrc(args, { kubeconfig: world.kubeconfig });
    await waitFor('its log', () => running.out().includes('[pod/looked-into/debugger] line 1'));
    running.child.kill('SIGINT');
    await running.ended;
  });

  it('refuses times and counts that are none', async () => {
    expect((await run(['logs', 'web-1', '--since', 'soon'])).err).toBe(
      'orc: --since must be a time such as 90s, 5m or 1h30m, not "soon"\n',
    );
    expect((await run(['logs', 'web-1', '--tail', 'few'])).code).toBe(2);
  });
});
