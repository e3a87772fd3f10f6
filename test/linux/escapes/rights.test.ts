import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Op } from '../../../agent/kernel/op.ts';
import type { ContainerSecurity } from '../../../agent/ports.ts';
import { buildAttacker } from '../../support/attacker.ts';
import { ordinarySecurity } from '../../support/container-spec.ts';
import {
  createSandbox,
  logPath,
  messages,
  type NativePod,
  overlayRoot,
  runContainer,
  startPod,
} from '../../support/native-pod.ts';
import { openRuntimeHost, type RuntimeHost } from '../../support/runtime-host.ts';

const security = (over: Partial<ContainerSecurity>) => ({
  security: { ...ordinarySecurity, ...over },
});

describe('a file’s inheritable capabilities (7)', () => {
  let pod: NativePod;
  beforeAll(async () => {
    pod = await startPod();
    await createSandbox(pod);
    buildAttacker(`${pod.dir}/attacker`);
    const grep = `${pod.layer}/bin/grep`;
    rmSync(grep);
    copyFileSync(`${pod.layer}/bin/busybox`, grep);
    execFileSync(`${pod.dir}/attacker`, ['capable', grep, '0', '0x400']);
    await pod.shim.run(overlayRoot(pod));
  });
  afterAll(() => pod.end());

  const bind = 1n << 10n;
  const asUser = (inheritable: bigint): readonly Op[] => [
    { op: 'join', namespace: 'user' },
    { op: 'drop-bounding', keep: bind },
    { op: 'set-ids', uid: 33, gid: 33, groups: [] },
    { op: 'set-caps', effective: 0n, permitted: inheritable, inheritable, ambient: 0n },
    { op: 'exec', argv: ['/bin/grep', 'CapEff', '/proc/self/status'], env: [] },
  ];
  const capabilities = async (container: string, inheritable: bigint) => {
    await runContainer(pod, { container, argv: [], last: asUser(inheritable) });
    return messages(logPath(pod, container), 'stdout');
  };

  it('give an ordinary user nothing, because none are inherited', async () => {
    expect(await capabilities('none', 0n)).toEqual(['CapEff:\t0000000000000000']);
  });

  it('(with an inheritable one, they do)', async () => {
    expect(await capabilities('one', bind)).toEqual(['CapEff:\t0000000000000400']);
  });
});

describe('a pod’s container', () => {
  let host: RuntimeHost;
  beforeAll(async () => {
    host = await openRuntimeHost();
    await host.sandbox();
  });
  afterAll(() => host.end());

  const output = async (...args: Parameters<RuntimeHost['run']>) =>
    (await host.run(...args)).output;

  it('has nothing to inherit in exec either (7)', async () => {
    const id = { uid: 'a', name: 'main', attempt: 0 };
    await host.runtime.containers.start(host.spec('exec sleep 1000', { id }), never);
    const command = ['grep', '-E', '^Cap(Inh|Amb)', '/proc/self/status'];
    const session = await host.runtime.containers.exec(id, {
      command,
      stdin: false,
      terminal: undefined,
    });
    const chunks: Buffer[] = [];
    session.onOutput((_, chunk) => chunks.push(chunk));
    expect(await session.exited).toMatchObject({ exitCode: 0 });
    const none = '0000000000000000';
    expect(Buffer.concat(chunks).toString()).toBe(`CapInh:\t${none}\nCapAmb:\t${none}\n`);
  });

  describe('can’t have the host run a release agent (18)', () => {
    const agents = () =>
      globSync('/sys/fs/cgroup/*/release_agent').map((path) => readFileSync(path, 'utf8'));
    const script = `exec 2>&1
      chain='echo made; mkdir /tmp/c; mount -t cgroup -o memory c /tmp/c && echo mounted &&
        echo /evil > /tmp/c/release_agent && echo written'
      unshare -Urm sh -c "$chain"
      for f in /sys/fs/cgroup/*/release_agent; do echo /evil > $f && echo written; done`;

    it.for([
      ['with a namespace of its own, as it gets none', {}, false],
      [
        '(without the filter it gets one, and then the kernel refuses)',
        { seccomp: 'Unconfined' },
        true,
      ],
      ['as a privileged one, as the kernel refuses', { privileged: true }, true],
    ] as const)('%s', async ([, over, isMade]) => {
      const before = agents();
      const lines = await output(script, security(over));
      expect(lines.includes('made')).toBe(isMade);
      expect(lines).not.toContain('written');
      expect(agents()).toEqual(before);
    });
  });

  it.for([
    ['an ordinary one', {}],
    ['a privileged one', { privileged: true }],
  ] as const)('can’t change its cgroup as %s (8)', async ([, over]) => {
    expect(await output(changeCgroup, security(over))).toEqual([]);
  });

  it('can’t change its cgroup as the host’s root, unless it is privileged, nor then any other (8)', async () => {
    const shared = await openRuntimeHost();
    try {
      await shared.sandbox({ userNamespace: undefined });
      const plain = await shared.run(changeCgroup, security({}));
      const privileged = await shared.run(changeCgroup, security({ privileged: true }));
      expect(plain.output).not.toContain('changed');
      expect(privileged.output).toContain('changed');
      expect(privileged.output).not.toContain('0');
    } finally {
      await shared.end();
    }
  });

  it('can’t read a file that its group is shut out of (28)', async () => {
    const layer = `${host.dir}/layers/letters`;
    mkdirSync(layer);
    writeFileSync(`${layer}/letter`, 'read\n');
    chownSync(`${layer}/letter`, 0, 50);
    chmodSync(`${layer}/letter`, 0o704);
    const image = { ...host.spec('').image, layers: [...host.layers, layer] };
    const read = async (user: number) =>
      output('cat /letter', { image, ...security({ runAsUser: user, capabilitiesDrop: ['ALL'] }) });
    expect(await read(33)).toEqual([expect.stringMatching(/Permission denied/)]);
    expect(await read(34)).toEqual(['read']);
  });

  it('is the same user after every restart (47)', async () => {
    const ids = [];
    for (let attempt = 0; attempt < 4; attempt++)
      ids.push(await output('id -u; grep Seccomp: /proc/1/status', security({ runAsUser: 33 })));
    expect(ids).toEqual(Array(4).fill(['33', 'Seccomp:\t2']));
  });

  it('has its environment as it was given, and no line of it elsewhere (34)', async () => {
    const env = ['HOME=/root\nevil::0:0::/:/bin/sh', 'X=1\nY=2'];
    const lines = await output(
      'grep -c . /etc/passwd; grep -c evil /etc/passwd; echo "$X"; echo y$Y',
      {
        env,
      },
    );
    expect(lines).toEqual(['2', '0', '1', 'Y=2', 'y']);
  });
});

const never = new AbortController().signal;

/** Prints "changed" if it could, and the processes that it sees in its groups, 0 for those outside of its pid namespace. */
const changeCgroup = `exec 2>/dev/null
  for d in /sys/fs/cgroup /sys/fs/cgroup/memory; do
    test -e $d/cgroup.procs && mkdir $d/x && echo changed && rmdir $d/x
    grep -x 0 $d/cgroup.procs
  done`;
