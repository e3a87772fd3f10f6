import { describe, expect, it } from 'vitest';
import { useDevCluster } from '../support/dev-cluster.ts';
import { shell, shellPod } from '../support/manifests.ts';
import { runcBinary } from '../support/other-runtime.ts';
import { containerStatus, readyPod } from '../support/pod-states.ts';

const flags = ['--runtime-handler', `debian-runc=${await runcBinary()}`];
const cluster = useDevCluster({ nodes: 1, flags, images: ['hello'] });

const runtimeClass = (name: string, handler: string) => ({
  ...{ apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name } },
  handler,
});

describe('a pod with a RuntimeClass', () => {
  it('runs under the runtime that the node has for it, with its network, probes and restarts', async () => {
    const { objects, create, until, exec, remove, sandboxes } = cluster();
    await objects.create(runtimeClass('other', 'debian-runc'));
    const readinessProbe = { exec: { command: ['test', '-e', '/tmp/ready'] }, periodSeconds: 1 };
    const script = 'trap "exit 4" TERM; touch /tmp/ready; while :; do sleep 0.2; done';
    const pod = shellPod('guest', shell(script, { readinessProbe }), { runtimeClassName: 'other' });
    await create(pod);
    const ready = await until('pods', readyPod('guest'));
    const inside = await exec('guest', ['sh', '-c', 'ip -4 -o addr show eth0; kill -TERM 1']);
    expect(inside.out).toContain(` ${ready.status?.podIP}/32 `);
    const restarted = await until('pods', (pods) => {
      const found = containerStatus(readyPod('guest')(pods));
      return found?.restartCount === 1 ? found : undefined;
    });
    expect(restarted.lastState?.terminated).toMatchObject({ exitCode: 4, reason: 'Error' });
    await remove(pod);
    await until('pods', (pods) => pods.length === 0);
    expect(await sandboxes('host1')).toEqual([]);
  });

  it('is refused where there is no such class, and with a terminal', async () => {
    const { create } = cluster();
    const refused = create(shellPod('lost', shell('true'), { runtimeClassName: 'nowhere' }));
    await expect(refused).rejects.toThrow(
      /forbidden: pod rejected: RuntimeClass [^ ]*nowhere[^ ]* not found.*spec\.runtimeClassName/,
    );
    const onTerminal = shell('true', { tty: true });
    const typed = create(shellPod('typed', onTerminal, { runtimeClassName: 'other' }));
    await expect(typed).rejects.toThrow(/spec\.containers\[0\]\.tty: true is not supported by orc/);
  });

  it('is told by an event what its node lacks', async () => {
    const { objects, create, until } = cluster();
    await objects.create(runtimeClass('kata', 'kata'));
    const told = (wanted: string) =>
      until('events', (events) => events.find(({ reason }) => reason === wanted)?.message);
    await create(shellPod('waiting', shell('true'), { runtimeClassName: 'kata' }));
    expect(await told('FailedScheduling')).toBe(
      '0/1 nodes are available: 1 node(s) didn\'t have the runtime handler "kata".',
    );
    const bound = { runtimeClassName: 'kata', nodeName: 'host1' };
    await create(shellPod('bound', shell('true'), bound));
    expect(await told('FailedCreatePodSandBox')).toContain(
      'no runtime for handler "kata" is configured on this node',
    );
  });
});
