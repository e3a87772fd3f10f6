import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubernetesObjectApi, type V1Pod } from '@kubernetes/client-node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { containerStatus, nameOf, readyPods } from '../support/pod-states.ts';
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
  tracesOn,
} from '../support/testbed.ts';

const [m1, m2, m3] = machines as [Machine, Machine, Machine];
const root = join(import.meta.dirname, '../..');

/** What is on each machine, in their order: bare, and with the package newly installed. */
let bare: readonly (readonly string[])[] = [];
let installed: typeof bare = [];

async function added(machine: Machine, before: typeof bare): Promise<readonly string[]> {
  const known = new Set(before[machines.indexOf(machine)]);
  return (await tracesOn(machine)).filter((trace) => !known.has(trace));
}

stepByStep();

/** A node that is silent for two seconds isn't given up: emulated, that is less than an agent takes to start. */
const patience = 'tolerations: [{ operator: Exists, effect: NoExecute, tolerationSeconds: 300 }]';

/** Takes more memory than it may. */
const hog = `
apiVersion: v1
kind: Pod
metadata: { name: hog }
spec:
  nodeName: m2
  ${patience}
  restartPolicy: Never
  containers:
    - name: main
      image: registry:5000/hello:1
      command: [sh, -c, 'tail /dev/zero']
      resources: { limits: { memory: 32Mi } }
`;

/** A probe each second forks four times, which is too much for emulated processors. */
const forEmulation = (yaml: string) =>
  yaml
    .replace('periodSeconds: 1', 'periodSeconds: 10')
    .replace('terminationGrace', `${patience}\n      terminationGrace`);

let cluster: Connected;

describe('three machines, one of which has the controller', () => {
  it('take the package', async () => {
    bare = await onAll(tracesOn);
    await onAll(install('this'));
    installed = await onAll(tracesOn);
  });

  it('become a cluster by the commands of the README', async () => {
    await m1.run('sh /mnt/provision controller');
    const token = (await m1.run('sh /mnt/provision token')).trim();
    const join = `sh /mnt/provision node https://${m1.address}:6443 ${token}`;
    await onAll(({ run }) => run(`${join} --insecure-registry registry:5000`));
    cluster = await m1.connect();
    await cluster.until('nodes', readyNodes(3));
  });

  it('run what is applied, reached at the Service from every machine', async () => {
    const hello = await readFile(join(root, 'manifests/hello.yaml'), 'utf8');
    const yaml = `${forEmulation(hello)}---${hog}`;
    await m1.run(`cat >/root/apply.yaml <<'END'\n${yaml}\nEND\norc apply -f /root/apply.yaml`);
    await cluster.until('pods', readyPods('hello', 6));
    const { spec } = await objectOf(cluster, 'service', 'hello');
    await onAll(({ name, run }) =>
      eventually(`an answer on ${name}`, async () =>
        /^hello from hello-\S+ on m[123]\n$/.test(
          await run(`curl -sS --max-time 20 http://${spec.clusterIP}/ || true`),
        ),
      ),
    );
  });

  it('hold a memory hog to its limit by cgroups, and say so', async () => {
    const ended = await cluster.until('pods', (pods) => {
      const pod = pods.find((candidate) => nameOf(candidate) === 'hog');
      return containerStatus(pod)?.state?.terminated;
    });
    expect(ended).toMatchObject({ reason: 'OOMKilled', exitCode: 137 });
    const { out: line } = await cluster.orc('get', 'pod', 'hog');
    expect(line).toContain('OOMKilled');
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
    'keep them when that of the controller goes one version $direction: the API is away for seconds',
    async ({ release, version }) => {
      const before = await onAll(containersOf);
      const watch = 'systemd-run --quiet --unit api-watch sh /run/watch-api';
      await m1.run(`cat >/run/watch-api <<'END'${watchApi}\nEND\n${watch}`);
      await m1.run(`dpkg --force-downgrade -i /mnt/orc-${release}.deb 2>&1`);
      await isWhole();
      await m1.run('systemctl stop api-watch');
      const awayS = Number(await m1.run('cat /run/longest-gap'));
      const startS = await lastStartS(m1, 'orc-controller');
      console.log(`${release} version: the API was away for ${awayS} s, a start took ${startS} s`);
      expect(awayS).toBeLessThan(2 * startS + 10);
      const { status } = await objectOf(cluster, 'node', 'm1');
      expect(status.nodeInfo.kubeletVersion).toMatch(version);
      expect(await onAll(containersOf)).toEqual(before);
    },
  );

  it('start pods again after a reboot while the controller is off', async () => {
    const onM3 = (pods: readonly V1Pod[]) => pods.filter(({ spec }) => spec?.nodeName === 'm3');
    const before = onM3(await cluster.until('pods', readyPods('hello', 6)));
    await m1.run('systemctl stop orc-controller');
    await m3.reboot();
    await eventually(
      'containers run',
      async () => (await containersOf(m3)).length === before.length,
    );
    await m1.run('systemctl start orc-controller');
    const again = await cluster.until('pods', (pods) => {
      const ready = onM3(readyPods('hello', 6)(pods) ?? []);
      const isAgain = ready.every((pod) => (containerStatus(pod)?.restartCount ?? 0) > 0);
      return isAgain && ready.length === before.length && ready;
    });
    expect(again.map(nameOf).toSorted()).toEqual(before.map(nameOf).toSorted());
    await isWhole();
  });

  it('are as newly installed after orc reset', async () => {
    await onAll(({ run }) => run('orc reset --yes'));
    expect(await onAll((machine) => added(machine, installed))).toEqual([[], [], []]);
  });
});

/** What stays of packages that orc's depends on, and what the tests did themselves. */
const brought = /^unit file nftables\.service$/;

/** From exec to readiness, in seconds: emulated, everything takes 25 times as long as on a processor. */
async function lastStartS({ run }: Machine, unit: string): Promise<number> {
  const times = ['InactiveExitTimestampMonotonic', 'ActiveEnterTimestampMonotonic'];
  const lines = await run(`systemctl show --value -p ${times.join(' -p ')} ${unit}`);
  const [began = 0, ready = 0] = lines.trim().split('\n').map(Number);
  return Math.abs(ready - began) / 1e6;
}

/** Keeps the longest time, in seconds, that the API didn't answer. Processor time is scarce: curl only, at long intervals. */
const watchApi = `
  longest=0 gap=0
  while :; do
    read -r now _ </proc/uptime
    if curl -fsk --max-time 20 https://127.0.0.1:6443/readyz >/dev/null; then since=; gap=0
    else
      : "\${since:=$now}"
      gap=$((\${now%.*} - \${since%.*}))
    fi
    [ $gap -le $longest ] || longest=$gap
    echo $longest >/run/longest-gap
    sleep 3
  done`;

/** Every agent has its leader, all nodes are Ready and all pods. */
async function isWhole(): Promise<void> {
  const status = 'systemctl show --value -p StatusText orc-agent';
  await onAll(({ name, run }) =>
    eventually(`${name} is connected`, async () => (await run(status)).includes('to the leader')),
  );
  await cluster.until('nodes', readyNodes(3));
  await cluster.until('pods', readyPods('hello', 6));
}

const certificates = join(root, 'deploy/etcd-certificates');

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
  install -d /etc/systemd/system/etcd.service.d
  printf '[Service]\nNice=-10\n' >/etc/systemd/system/etcd.service.d/first.conf
  systemctl daemon-reload
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
      ${patience}
      containers: [{ name: hello, image: 'registry:5000/hello:1' }]
`;

let leader: Machine;
let follower: Machine;
let last: Machine;
let throughLast: Connected;
/** ConfigMaps whose creation was acknowledged. */
const acknowledged: string[] = [];

describe('three machines with etcd and a controller on each', () => {
  it('become a cluster by the recipe of docs/etcd.md', async () => {
    const files = await mkdtemp(join(tmpdir(), 'orc-etcd-files-'));
    onTestFinished(() => rm(files, { recursive: true }));
    const members = machines.map(({ name, address }) => `${name}=${address}`);
    outputOf('etcd-certificates', await runProgram(certificates, [files, ...members]));
    await onAll(async ({ name, run }) => {
      const copied = await testbed(['cp', join(files, name), `${name}:/root/etcd-files`]);
      outputOf('deploy/testbed cp', copied);
      await run(setUpEtcd);
      await run(`cat >>/etc/orc/controller.yaml <<'END'${settings}END`);
    });
    await m1.run('sh /mnt/provision controller');
    await onAll(async ({ run }) => {
      const token = (await m1.run('orc token create --controller 2>/dev/null')).trim();
      const join = `join: https://${m1.address}:6443\\ntoken: ${token}\\n`;
      await run(`printf '${join}' >>/etc/orc/controller.yaml && sh /mnt/provision controller`);
    }, machines.slice(1));
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
    const { holderIdentity: holder } = (await leaderLease(cluster)).spec;
    leader = machines.find(({ name }) => name === holder) as Machine;
    [follower, last] = machines.filter(({ name }) => name !== holder) as [Machine, Machine];
    throughLast = await last.connect();
  });

  it('have another leader, and take writes, within 5 s of the end of the one that led', async () => {
    for (let i = 0; i < 3; i++) await write(throughLast);
    const ahead = await onAll(aheadMs);
    await leader.powerOff();
    const off = Date.now();
    const { holderIdentity, acquireTime } = await eventually('another leads', async () => {
      const { spec } = await leaderLease(throughLast);
      return spec.holderIdentity !== leader.name && spec;
    });
    const winner = machines.findIndex(({ name }) => name === holderIdentity);
    const ledAfterS = (Date.parse(acquireTime) - (ahead[winner] ?? 0) - off) / 1000;
    await eventually('a write', () => write(throughLast));
    const wroteAfterS = (Date.now() - off) / 1000;
    console.log(
      `another led after ${ledAfterS} s, and a write was seen done after ${wroteAfterS} s`,
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

  it('are as they were when the package has been purged', async () => {
    const purge = 'DEBIAN_FRONTEND=noninteractive apt-get -qq purge -y orc etcd-server etcd-client';
    await onAll(({ run }) => run(purge));
    const left = await onAll((machine) => added(machine, bare));
    expect(left.map((traces) => traces.filter((trace) => !brought.test(trace)))).toEqual([
      [],
      [],
      [],
    ]);
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

const leaderLease = (cluster: Connected) =>
  objectOf(cluster, 'lease', 'orc-controller', '-n', 'kube-system');

/** The machine's clock, before this one's. They begin with whole seconds. */
async function aheadMs({ run }: Machine): Promise<number> {
  const began = Date.now();
  const theirs = Number(await run('date +%s%3N'));
  return theirs - (began + Date.now()) / 2;
}

/** Asked for until there is an answer: emulated controllers stand still for seconds at times. */
function objectOf({ orc }: Connected, ...which: readonly string[]) {
  return eventually(`orc get ${which.join(' ')}`, async () => {
    const { code, out } = await orc('get', ...which, '-o', 'json');
    return code === 0 && JSON.parse(out);
  });
}
