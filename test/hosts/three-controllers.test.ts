import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubernetesObjectApi } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readyPods } from '../support/pod-states.ts';
import { runProgram } from '../support/run-program.ts';
import {
  type Connected,
  containersOf,
  eventually,
  install,
  type Machine,
  machines,
  onAll,
  outputOf,
  readyNodes,
  stepByStep,
  testbed,
} from '../support/testbed.ts';

const [m1] = machines as [Machine, Machine, Machine];
const certificates = join(import.meta.dirname, '../../deploy/etcd-certificates');

/** As docs/etcd.md has it, on each machine. */
const setUpEtcd = `set -e
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq install -y etcd-server etcd-client
  systemctl stop etcd
  install -d -o etcd -g etcd -m 700 /etc/etcd
  install -o etcd -g etcd -m 600 /root/etcd-files/etcd/* /etc/etcd/
  install -d -m 700 /etc/orc/etcd
  install -m 600 /root/etcd-files/orc/* /etc/orc/etcd/
  install -m 644 /root/etcd-files/default /etc/default/etcd
  rm -r /root/etcd-files
  systemctl enable etcd
  systemctl start --no-block etcd`;

const settings = `
etcd: [${machines.map(({ address }) => `https://${address}:2379`).join(', ')}]
etcd-ca: /etc/orc/etcd/ca.crt
etcd-cert: /etc/orc/etcd/client.crt
etcd-key: /etc/orc/etcd/client.key
`;

const hello = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: hello }
spec:
  replicas: 3
  selector: { matchLabels: { app: hello } }
  template:
    metadata: { labels: { app: hello } }
    spec:
      tolerations: [{ operator: Exists }]
      containers: [{ name: hello, image: 'registry:5000/hello:1' }]
`;

let files: string;
let leader: Machine;
let follower: Machine;
let last: Machine;
let throughLast: Connected;
/** ConfigMaps whose creation was acknowledged. */
const acknowledged: string[] = [];

describe('three machines with etcd and a controller on each', () => {
  stepByStep();
  beforeAll(async () => {
    files = await mkdtemp(join(tmpdir(), 'orc-etcd-files-'));
    await onAll(install('this'));
  });
  afterAll(() => rm(files, { recursive: true }));

  it('become a cluster by the recipe of docs/etcd.md', async () => {
    const members = machines.map(({ name, address }) => `${name}=${address}`);
    outputOf('etcd-certificates', await runProgram(certificates, [files, ...members]));
    await onAll(async ({ name, run }) => {
      const copied = await testbed(['cp', join(files, name), `${name}:/root/etcd-files`]);
      outputOf('deploy/testbed cp', copied);
      await run(setUpEtcd);
      await run(`cat >>/etc/orc/controller.yaml <<'END'${settings}END`);
    });
    await m1.run('sh /mnt/provision controller');
    for (const { run } of machines.slice(1)) {
      const token = (await m1.run('orc token create --controller 2>/dev/null')).trim();
      const join = `join: https://${m1.address}:6443\\ntoken: ${token}\\n`;
      await run(`printf '${join}' >>/etc/orc/controller.yaml && sh /mnt/provision controller`);
    }
    const token = (await m1.run('sh /mnt/provision token')).trim();
    const controllers = machines.map(({ address }) => `--controller ${address}:6444`).join(' ');
    const flags = `${controllers} --insecure-registry registry:5000`;
    await onAll(({ run }) =>
      run(`sh /mnt/provision node https://${m1.address}:6443 ${token} ${flags}`),
    );
    await m1.run(`cat >/root/hello.yaml <<'END'${hello}END\norc apply -f /root/hello.yaml`);
    const cluster = await m1.connect();
    await cluster.until('nodes', readyNodes(3));
    await cluster.until('pods', readyPods('hello', 3));
    const holder = await leaderBy(cluster);
    leader = machines.find(({ name }) => name === holder) as Machine;
    [follower, last] = machines.filter(({ name }) => name !== holder) as [Machine, Machine];
    throughLast = await last.connect();
  });

  it('have another leader, and take writes, within 5 s of the end of the one that led', async () => {
    for (let i = 0; i < 3; i++) await write(throughLast);
    await leader.powerOff();
    const off = performance.now();
    const seconds = () => (performance.now() - off) / 1000;
    await eventually('another leads', async () => (await leaderBy(throughLast)) !== leader.name);
    const ledAfterS = seconds();
    await eventually('a write', () => write(throughLast));
    console.log(
      `another leads after ${ledAfterS.toFixed(1)} s, writes after ${seconds().toFixed(1)} s`,
    );
    expect(ledAfterS).toBeLessThan(5);
  });

  it('refuse writes in words when two are off, and pods run on', async () => {
    const running = await containersOf(last);
    await follower.powerOff();
    const refusal = await eventually('a refusal', async () => {
      const answer = await create(throughLast, 'never');
      return answer !== 'created' && answer;
    });
    expect(refusal).toMatch(/"code":503/);
    expect(running.length).toBeGreaterThan(0);
    expect(await containersOf(last)).toEqual(running);
  });

  it('go on with nothing lost when they are back', async () => {
    await onAll(({ powerOn }) => powerOn(), [leader, follower]);
    await eventually('a write', () => write(throughLast));
    const { out } = await throughLast.orc('get', 'configmaps', '-o', 'name');
    const there = out.split('\n');
    expect(acknowledged.filter((name) => !there.includes(`configmap/${name}`))).toEqual([]);
    await throughLast.until('nodes', readyNodes(3));
    await throughLast.until('pods', readyPods('hello', 3));
  });
});

/** Says whether it was acknowledged, and remembers it then. */
async function write(cluster: Connected): Promise<boolean> {
  const name = `written-${++writes}`;
  const isThere = (await create(cluster, name)) === 'created';
  if (isThere) acknowledged.push(name);
  return isThere;
}

let writes = 0;

/** Otherwise what was said. */
async function create({ client }: Connected, name: string): Promise<string> {
  const configMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default' },
  };
  try {
    await KubernetesObjectApi.makeApiClient(client).create(configMap);
    return 'created';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function leaderBy({ orc }: Connected): Promise<string | undefined> {
  const lease = ['get', 'lease', '-n', 'kube-system', 'orc-controller'];
  const { code, out } = await orc(...lease, '-o', 'jsonpath={.spec.holderIdentity}');
  return code === 0 ? out.trim() : undefined;
}
