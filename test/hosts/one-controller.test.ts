import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { V1Pod } from '@kubernetes/client-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { containerStatus, nameOf, readyPod, readyPods } from '../support/pod-states.ts';
import {
  type Connected,
  containersOf,
  eventually,
  install,
  type Machine,
  machines,
  onAll,
  readyNodes,
  stepByStep,
  tracesOn,
} from '../support/testbed.ts';

const [m1, m2, m3] = machines as [Machine, Machine, Machine];
const helloYaml = join(import.meta.dirname, '../../manifests/hello.yaml');

/** Pinned to a machine, and patient when that is away; and one that takes more memory than it may. */
const patientAndHog = `
apiVersion: v1
kind: Pod
metadata: { name: patient-NAME }
spec:
  nodeName: NAME
  tolerations: [{ operator: Exists }]
  containers:
    - name: main
      image: registry:5000/hello:1
---
apiVersion: v1
kind: Pod
metadata: { name: hog-NAME }
spec:
  nodeName: NAME
  restartPolicy: Never
  containers:
    - name: main
      image: registry:5000/hello:1
      command: [sh, -c, 'tail /dev/zero']
      resources: { limits: { memory: 32Mi } }
`;

const bare: Record<string, readonly string[]> = {};
let cluster: Connected;

describe('three machines, one of which has the controller', () => {
  stepByStep();

  beforeAll(async () => {
    for (const machine of machines) bare[machine.name] = await tracesOn(machine);
  });

  it('become a cluster from bare machines by the commands of the README', async () => {
    const begun = performance.now();
    await onAll(install('this'));
    const installed = performance.now();
    await m1.run('sh /mnt/provision controller');
    const token = (await m1.run('sh /mnt/provision token')).trim();
    const join = `sh /mnt/provision node https://${m1.address}:6443 ${token}`;
    await onAll(({ run }) => run(`${join} --insecure-registry registry:5000`));
    cluster = await m1.connect();
    await cluster.until('nodes', readyNodes(3));
    const seconds = (from: number, to: number) => ((to - from) / 1000).toFixed(0);
    console.log(
      `installed after ${seconds(begun, installed)} s, a cluster after ${seconds(begun, performance.now())} s`,
    );
  });

  it('run what is applied, reached at the Service from every machine', async () => {
    const manifests = machines.map(({ name }) => patientAndHog.replaceAll('NAME', name));
    const yaml = [await readFile(helloYaml, 'utf8'), ...manifests].join('---\n');
    await m1.run(`cat >/root/apply.yaml <<'END'\n${yaml}\nEND\norc apply -f /root/apply.yaml`);
    await cluster.until('pods', readyPods('hello', 6));
    for (const { name } of machines) await cluster.until('pods', readyPod(`patient-${name}`));
    const { out: address } = await cluster.orc(
      ...['get', 'service', 'hello', '-o', 'jsonpath={.spec.clusterIP}'],
    );
    const answers = await onAll(({ run }) => run(`curl -sS --max-time 20 http://${address}/`));
    for (const answer of answers) expect(answer).toMatch(/^hello from hello-\S+ on m[123]\n$/);
  });

  it('hold a memory hog to its limit by cgroups, and say so', async () => {
    for (const { name } of machines) {
      const ended = await cluster.until('pods', (pods) => {
        const hog = pods.find((pod) => nameOf(pod) === `hog-${name}`);
        return containerStatus(hog)?.state?.terminated;
      });
      expect(ended).toMatchObject({ reason: 'OOMKilled', exitCode: 137 });
    }
    const { out } = await cluster.orc('get', 'pod', 'hog-m1');
    expect(out).toContain('OOMKilled');
  });

  it('have logs in the journal that people and programs can read', async () => {
    const lines = await m2.run('journalctl -u orc-agent --no-pager -o cat');
    expect(lines).toMatch(/^session: connected to the controller address=10\.88\.0\.11:6444$/m);
    expect(lines).not.toMatch(/^\{/m);
    const records = await m1.run('journalctl -u orc-controller --no-pager -o json');
    const fields = records
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>);
    expect(fields).toContainEqual(
      expect.objectContaining({ ORC_EVENT: 'node joined', ORC_NODE: 'm3', PRIORITY: '6' }),
    );
  });

  it('keep containers when controller and agents are killed, and are a cluster again', async () => {
    const before = await onAll(containersOf);
    await onAll(({ try: attempt }) =>
      attempt('systemctl kill -s KILL orc-controller.service orc-agent.service'),
    );
    await isWhole();
    expect(await onAll(containersOf)).toEqual(before);
  });

  it.each([
    { direction: 'up', release: 'next', version: /^v?\d\S+\+next$/ },
    { direction: 'down', release: 'this', version: /^v?\d[^+]+$/ },
  ] as const)(
    'go one version $direction: containers stay, the API is away for seconds',
    async ({ release, version }) => {
      const before = await onAll(containersOf);
      const watch = 'systemd-run --quiet --unit api-watch sh /run/watch-api';
      await m1.run(`cat >/run/watch-api <<'END'${watchApi}\nEND\n${watch}`);
      const dpkg = `dpkg --force-downgrade -i /mnt/orc-${release}.deb 2>&1`;
      await onAll(({ run }) => run(dpkg));
      await isWhole();
      await m1.run('systemctl stop api-watch');
      const awayS = Number(await m1.run('cat /run/longest-gap'));
      console.log(`${release} version: the API was away for ${awayS} s`);
      expect(awayS).toBeLessThan(30);
      const versions = await cluster.until('nodes', (nodes) =>
        nodes.map(({ status }) => status?.nodeInfo?.kubeletVersion ?? ''),
      );
      for (const one of versions) expect(one).toMatch(version);
      expect(await onAll(containersOf)).toEqual(before);
    },
  );

  it('start pods again after a reboot', async () => {
    const before = await startOf('patient-m2');
    await m2.reboot();
    await cluster.until('pods', restartedPod('patient-m2', before));
    await isWhole();
  });

  it('start pods again after a reboot while the controller is off', async () => {
    const before = await startOf('patient-m3');
    await m1.run('systemctl stop orc-controller');
    await m3.reboot();
    await eventually('containers run', async () => (await containersOf(m3)).length > 0);
    await m1.run('systemctl start orc-controller');
    await cluster.until('pods', restartedPod('patient-m3', before));
    await isWhole();
  });

  it('are as they were when the package has been purged', async () => {
    await onAll(({ run }) => run('DEBIAN_FRONTEND=noninteractive apt-get -qq purge -y orc'));
    const left = await onAll(async (machine) => {
      const traces = await tracesOn(machine);
      const ours = traces.filter((trace) => !bare[machine.name]?.includes(trace));
      return ours.filter((trace) => !brought.test(trace));
    });
    expect(left).toEqual([[], [], []]);
  });
});

/** What stays of packages that orc's depends on, and what the tests did themselves. */
const brought = /^unit file nftables\.service$/;

/** Keeps the longest time, in seconds, that the API didn't answer. Processor time is scarce: curl only, at long intervals. */
const watchApi = `
  longest=0 gap=0
  while :; do
    read -r now _ </proc/uptime
    if curl -fsk --max-time 2 https://127.0.0.1:6443/readyz >/dev/null; then since=; gap=0
    else
      : "\${since:=$now}"
      gap=$((\${now%.*} - \${since%.*}))
    fi
    [ $gap -le $longest ] || longest=$gap
    echo $longest >/run/longest-gap
    sleep 0.5
  done`;

/** All nodes are Ready and all pods of hello; a write is accepted. */
async function isWhole(): Promise<void> {
  await cluster.until('nodes', readyNodes(3));
  await cluster.until('pods', readyPods('hello', 6));
  for (const { name } of machines) await cluster.until('pods', readyPod(`patient-${name}`));
}

const startOf = async (name: string) => startedAt(await cluster.until('pods', readyPod(name)));

const restartedPod = (name: string, before: number) => (pods: readonly V1Pod[]) => {
  const pod = readyPod(name)(pods);
  return pod && startedAt(pod) > before ? pod : undefined;
};

const startedAt = (pod: V1Pod): number =>
  new Date(containerStatus(pod)?.state?.running?.startedAt ?? 0).getTime();
