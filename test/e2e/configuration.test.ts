import { beforeAll, describe, expect, it } from 'vitest';
import { useDevCluster } from '../support/dev-cluster.ts';
import { configMap, idle, secret, shell, shellPod } from '../support/manifests.ts';
import { containerStatus, podIn, readyPod } from '../support/pod-states.ts';

const cluster = useDevCluster({ nodes: 1 });

const read = async (pod: string, script: string, container?: string) =>
  (await cluster().exec(pod, ['sh', '-c', script], container)).out;

describe('ConfigMaps and Secrets', () => {
  beforeAll(async () => {
    const { create, until } = cluster();
    await create(
      configMap('settings', { COLOUR: 'green', 'app.conf': 'port = 1\n' }),
      secret('keys', { TOKEN: 's3cret' }),
    );
    const env = [
      { name: 'ONE', valueFrom: { configMapKeyRef: { name: 'settings', key: 'COLOUR' } } },
      { name: 'HIDDEN', valueFrom: { secretKeyRef: { name: 'keys', key: 'TOKEN' } } },
      { name: 'BOTH', value: '$(ONE) and $(HIDDEN), $$(ONE)' },
      { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'ADDRESS', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
    ];
    const volumeMounts = [
      { name: 'settings', mountPath: '/etc/settings' },
      { name: 'keys', mountPath: '/etc/keys' },
      { name: 'settings', mountPath: '/etc/single.conf', subPath: 'app.conf' },
    ];
    const envFrom = [{ configMapRef: { name: 'settings' } }, { secretRef: { name: 'keys' } }];
    await create(
      shellPod('reader', shell(idle, { env, envFrom, volumeMounts }), {
        volumes: [
          { name: 'settings', configMap: { name: 'settings' } },
          { name: 'keys', secret: { secretName: 'keys', defaultMode: 0o400 } },
        ],
      }),
    );
    await until('pods', readyPod('reader'));
  });

  it('are environment variables, one by one and all at once', async () => {
    expect(await read('reader', 'echo "$ONE|$HIDDEN|$BOTH|$COLOUR|$TOKEN|$NAME"')).toBe(
      'green|s3cret|green and s3cret, $(ONE)|green|s3cret|reader\n',
    );
  });

  it('are beside what the pod knows of itself', async () => {
    const pod = await cluster().until('pods', readyPod('reader'));
    expect(await read('reader', 'echo $ADDRESS')).toBe(`${pod.status?.podIP}\n`);
  });

  it('are files, with the modes asked for', async () => {
    expect(await read('reader', 'cat /etc/settings/app.conf /etc/keys/TOKEN')).toBe(
      'port = 1\ns3cret',
    );
    const modes = 'stat -L -c "%a %u" /etc/settings/app.conf /etc/keys/TOKEN';
    expect(await read('reader', modes)).toBe('644 0\n400 0\n');
    expect(await read('reader', 'cat /etc/single.conf')).toBe('port = 1\n');
  });

  it("can't be written to", async () => {
    const { code } = await cluster().exec('reader', [
      'sh',
      '-c',
      'echo x > /etc/settings/app.conf',
    ]);
    expect(code).not.toBe(0);
  });

  it('reach the files when they change, all keys at once, while the container runs', async () => {
    const { patch, create, until } = cluster();
    const before = containerStatus(await until('pods', readyPod('reader')))?.containerID;
    await patch({
      ...configMap('settings', {}),
      data: { COLOUR: 'red', 'app.conf': 'port = 2\n', more: 'yes' },
    });
    await expect
      .poll(() => read('reader', 'cat /etc/settings/app.conf /etc/settings/more'), {
        timeout: 20_000,
      })
      .toBe('port = 2\nyes');
    expect(await read('reader', 'echo $COLOUR; cat /etc/single.conf')).toBe('green\nport = 1\n');
    const after = containerStatus(await until('pods', readyPod('reader')))?.containerID;
    expect(after).toBe(before);
    await create(
      shellPod('later', shell(idle, { envFrom: [{ configMapRef: { name: 'settings' } }] })),
    );
    await until('pods', readyPod('later'));
    expect(await read('later', 'echo $COLOUR')).toBe('red\n');
  });

  it('hold a container back until they exist, and it says which is missing', async () => {
    const { create, until } = cluster();
    const envFrom = [{ configMapRef: { name: 'late' } }];
    await create(shellPod('early', shell(idle, { envFrom })));
    const waiting = await until('pods', (pods) => {
      const pod = pods.find(({ metadata }) => metadata?.name === 'early');
      return containerStatus(pod)?.state?.waiting?.message && containerStatus(pod)?.state?.waiting;
    });
    expect(waiting).toMatchObject({
      reason: 'CreateContainerConfigError',
      message: expect.stringContaining('configmap "late" not found'),
    });
    await create(configMap('late', { HERE: 'now' }));
    await until('pods', readyPod('early'));
    expect(await read('early', 'echo $HERE')).toBe('now\n');
  });
});

describe('emptyDir', () => {
  it.for([
    ['on disk', {}],
    ['in memory', { medium: 'Memory', sizeLimit: '8Mi' }],
  ] as const)(
    '%s is shared by the containers of a pod and survives their restarts',
    async ([where, emptyDir]) => {
      const { create, until, exec } = cluster();
      const name = `shared-${where.replaceAll(' ', '-')}`;
      const volumeMounts = [{ name: 'work', mountPath: '/work' }];
      const one = shell(
        'echo from one > /work/note; trap "exit 1" TERM; while :; do sleep 1 & wait; done',
        {
          name: 'one',
          volumeMounts,
        },
      );
      const two = shell(idle, { name: 'two', volumeMounts });
      await create(
        shellPod(name, one, { containers: [one, two], volumes: [{ name: 'work', emptyDir }] }),
      );
      await until('pods', readyPod(name));
      expect(await read(name, 'cat /work/note', 'two')).toBe('from one\n');
      await read(name, 'echo from two > /work/other', 'two');
      await exec(name, ['kill', '1'], 'one');
      await until('pods', (pods) => {
        const pod = readyPod(name)(pods);
        return (containerStatus(pod, 'one')?.restartCount ?? 0) > 0;
      });
      expect(await read(name, 'cat /work/other', 'one')).toBe('from two\n');
      const [type] = (await read(name, "stat -f -c '%T' /work", 'two')).trim().split('\n');
      expect(type === 'tmpfs').toBe('medium' in emptyDir);
    },
  );

  it('in memory takes no more than its size', async () => {
    const { code, err } = await cluster().exec(
      'shared-in-memory',
      ['dd', 'if=/dev/zero', 'of=/work/big', 'bs=1M', 'count=9'],
      'two',
    );
    expect({ code, err }).toMatchObject({ code: 1, err: expect.stringMatching(/No space left/) });
  });
});

describe('init containers', () => {
  it('run one after the other, to their end, before the others start', async () => {
    const { create, until } = cluster();
    const volumeMounts = [{ name: 'work', mountPath: '/work' }];
    const step = (name: string) =>
      shell(`echo ${name} starts >> /work/log; sleep 0.3; echo ${name} ends >> /work/log`, {
        name,
        volumeMounts,
      });
    const main = shell(`echo main starts >> /work/log; ${idle}`, { volumeMounts });
    await create(
      shellPod('staged', main, {
        initContainers: [step('first'), step('second')],
        volumes: [{ name: 'work', emptyDir: {} }],
      }),
    );
    await until('pods', readyPod('staged'));
    expect((await read('staged', 'cat /work/log')).trim().split('\n')).toEqual([
      ...['first starts', 'first ends', 'second starts', 'second ends', 'main starts'],
    ]);
  });

  it('end the pod when they fail and it is never to be restarted', async () => {
    const { create, until } = cluster();
    const failing = shell('exit 3', { name: 'failing' });
    await create(
      shellPod('doomed', shell(idle), { initContainers: [failing], restartPolicy: 'Never' }),
    );
    const pod = await until('pods', podIn('doomed', 'Failed'));
    expect(containerStatus(pod, 'failing')?.state?.terminated).toMatchObject({
      exitCode: 3,
      reason: 'Error',
    });
    expect(containerStatus(pod, 'main')?.state?.terminated).toBeUndefined();
  });
});
