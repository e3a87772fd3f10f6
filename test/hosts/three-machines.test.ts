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

/** What is on each machine, in their order, bare; and on the third with the package newly installed. */
let bare: readonly (readonly string[])[] = [];
let installed: readonly string[] = [];

stepByStep();

/** While its agent starts, which takes longer when emulated, a node's pods stay where they are. */
const patience = 'tolerations: [{ operator: Exists, effect: NoExecute, tolerationSeconds: 300 }]';

/** Takes more memory than it may; writes where its profile forbids it. */
const wrongdoers = `---
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
---
apiVersion: v1
kind: Pod
metadata: { name: confined }
spec:
  nodeName: m2
  ${patience}
  restartPolicy: Never
  securityContext: { appArmorProfile: { type: Localhost, localhostProfile: orc-test-deny } }
  volumes: [{ name: tmp, emptyDir: {} }]
  containers:
    - name: main
      image: registry:5000/hello:1
      command: [sh, -c, 'cat /proc/self/attr/current; touch /x && echo allowed; touch /tmp/x || echo denied']
      volumeMounts: [{ name: tmp, mountPath: /tmp }]
`;

/** A probe each second forks four times, which is too much for emulated processors, and takes more than one. The first comes at once. */
async function hello(): Promise<string> {
  const yaml = await readFile(join(root, 'manifests/hello.yaml'), 'utf8');
  return yaml
    .replace(/( *)periodSeconds: 1\n/, '$1periodSeconds: 60\n$1timeoutSeconds: 30\n')
    .replace('terminationGrace', `${patience}\n      terminationGrace`);
}

/** As admin of one controller or another. */
let cluster: Connected;

/** Where orc's Service answers. */
let address: string;

describe('three machines, one of which has the controller', () => {
  it('take the package', async () => {
    bare = await onAll(tracesOn);
    await onAll(install('this'));
    installed = await tracesOn(m3);
  });

  it('run a container for an engine, in a scope of systemd’s making', async () => {
    const seen = await m2.run(`set -e
      cd $(mktemp -d)
      mkdir rootfs
      mount --bind / rootfs
      orc-oci spec
      sed -i 's/"terminal": true/"terminal": false/; s/"sh"/"sleep", "1000"/
        s/"linux": {/&"cgroupsPath": "system.slice:orc:seen",/' config.json
      orc-oci --systemd-cgroup run --detach seen </dev/null >/dev/null 2>&1
      systemctl show --property=ControlGroup --value orc-seen.scope
      cat /sys/fs/cgroup/system.slice/orc-seen.scope/cgroup.procs >procs
      orc-oci ps --format json seen
      grep -c . procs
      orc-oci delete --force seen
      [ -e /sys/fs/cgroup/system.slice/orc-seen.scope ] || echo gone
      umount rootfs`);
    const lines = ['/system.slice/orc-seen.scope', expect.stringMatching(/^\[\d+\]$/), '1', 'gone'];
    expect(seen.trim().split('\n')).toEqual(lines);
  });

  it('become a cluster by the commands of the README', async () => {
    const grace = `echo node-monitor-grace-period: ${2 * etcdTimeoutS} >>/etc/orc/controller.yaml`;
    await m1.run(`${grace}; sh /mnt/provision controller`);
    const token = (await m1.run('sh /mnt/provision token')).trim();
    const join = `sh /mnt/provision node https://${m1.address}:6443 ${token}`;
    await onAll(({ run }) => run(`${join} --insecure-registry registry:5000`));
    cluster = await m1.connect();
    await cluster.until('nodes', readyNodes(3));
  });

  it('run what is applied, reached at the Service from every machine', async () => {
    const profile = await readFile(join(root, 'test/qemu/apparmor-profile'), 'utf8');
    await m2.run(`apparmor_parser -r <<'END'\n${profile}\nEND`);
    const yaml = `${await hello()}${wrongdoers}`;
    await m1.run(`cat >/root/apply.yaml <<'END'\n${yaml}\nEND\norc apply -f /root/apply.yaml`);
    const pods = await cluster.until('pods', readyPods('hello', 6));
    const hosts = pods.map(({ spec }) => spec?.nodeName ?? '').sort();
    expect(hosts).toEqual(['m1', 'm1', 'm2', 'm2', 'm3', 'm3']);
    address = (await objectOf(cluster, 'service', 'hello')).spec.clusterIP;
    await everyMachineIsAnswered();
  });

  it('hold a memory hog to its limit by cgroups of version 2, and say so', async () => {
    expect(await m2.run('stat -fc %T /sys/fs/cgroup')).toBe('cgroup2fs\n');
    const ended = await endOf('hog');
    expect(ended).toMatchObject({ reason: 'OOMKilled', exitCode: 137 });
    const { out: line } = await cluster.orc('get', 'pod', 'hog');
    expect(line).toContain('OOMKilled');
  });

  it('hold a container to its AppArmor profile', async () => {
    await endOf('confined');
    const { out } = await cluster.orc('logs', 'confined');
    expect(out.trim().split('\n')).toEqual([
      'orc-test-deny (enforce)',
      'allowed',
      expect.stringContaining('Permission denied'),
      'denied',
    ]);
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
    const isAgain = '[ $(systemctl show --value -p NRestarts orc-agent) = 1 ]';
    await onAll(({ until }) => until(`${isAgain} && systemctl -q is-active orc-agent`));
    await isWhole();
    expect(await onAll(containersOf)).toEqual(before);
  });

  it('keep them when that of the controller goes one version up: the API is away for seconds', async () => {
    const before = await onAll(containersOf);
    const watch = 'systemd-run --quiet --unit api-watch sh /run/watch-api';
    await m1.run(`cat >/run/watch-api <<'END'${watchApi}\nEND\n${watch}`);
    await m1.run('dpkg -i /mnt/orc-next.deb 2>&1');
    await isWhole();
    await m1.run('systemctl stop api-watch');
    const awayS = Number(await m1.run('cat /run/longest-gap'));
    const startS = await lastStartS(m1, 'orc-controller');
    console.log(`the API was away for ${awayS} s, a start took ${startS} s`);
    expect(awayS).toBeLessThan(2 * startS + 10);
    expect(await versionOf('m1')).toMatch(/^v?\d\S+\+next$/);
    expect(await onAll(containersOf)).toEqual(before);
  });

  it('start pods again after a reboot while the controller is off, which goes one version down', async () => {
    const onM3 = (pods: readonly V1Pod[]) => pods.filter(({ spec }) => spec?.nodeName === 'm3');
    const before = onM3(await cluster.until('pods', readyPods('hello', 6)));
    const kept = await onAll(containersOf, [m1, m2]);
    await m1.run('systemctl stop orc-controller');
    const again = async () => (await containersOf(m3)).length === before.length;
    await Promise.all([
      m3.reboot().then(() => eventually('containers run', again)),
      m1.run('dpkg --force-downgrade -i /mnt/orc-this.deb 2>&1'),
    ]);
    await m1.run('systemctl start orc-controller');
    const restarted = await cluster.until('pods', (pods) => {
      const ready = onM3(readyPods('hello', 6)(pods) ?? []);
      const isAgain = ready.every((pod) => (containerStatus(pod)?.restartCount ?? 0) > 0);
      return isAgain && ready.length === before.length && ready;
    });
    expect(restarted.map(nameOf).toSorted()).toEqual(before.map(nameOf).toSorted());
    await isWhole();
    expect(await versionOf('m1')).toMatch(/^v?\d[^+]+$/);
    expect(await onAll(containersOf, [m1, m2])).toEqual(kept);
  });
});

async function everyMachineIsAnswered(): Promise<void> {
  await onAll(({ name, run }) =>
    eventually(`an answer on ${name}`, async () =>
      /^hello from hello-\S+ on m[123]\n$/.test(
        await run(`curl -sS --max-time 20 http://${address}/ || true`),
      ),
    ),
  );
}

const endOf = (name: string) =>
  cluster.until('pods', (pods) => {
    const pod = pods.find((candidate) => nameOf(candidate) === name);
    return containerStatus(pod)?.state?.terminated;
  });

const versionOf = async (node: string): Promise<string> =>
  (await objectOf(cluster, 'node', node)).status.nodeInfo.kubeletVersion;

/** What stays of packages that orc's depends on, and what the tests did themselves. */
const brought = /(nftables|\/etcd2?)\.service$|\/etcd\.service\.d|^file \/var\/lib\/etcd\/orc$/;
const etcdSettings = /^file \/etc\/orc\/etcd/;

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
  await onAll(({ until }) => until(`${status} | grep -q "to the leader"`));
  await cluster.until('nodes', readyNodes(3));
  await cluster.until('pods', readyPods('hello', 6));
}

const certificates = join(root, 'deploy/etcd-certificates');

/** As docs/etcd.md has it, on each machine, which has Debian's packages already; then what it says of slow ones. */
const etcdSteps = `set -e
  install -d -o etcd -g etcd -m 700 /etc/etcd
  install -o etcd -g etcd -m 600 /root/etcd-files/etcd/* /etc/etcd/
  install -d -m 700 /etc/orc/etcd
  install -m 600 /root/etcd-files/orc/* /etc/orc/etcd/
  install -m 644 /root/etcd-files/default /etc/default/etcd
  printf 'ETCD_HEARTBEAT_INTERVAL=500\nETCD_ELECTION_TIMEOUT=5000\n' >>/etc/default/etcd
  rm -r /root/etcd-files
  install -d /etc/systemd/system/etcd.service.d
  printf '[Service]\nNice=-10\n' >/etc/systemd/system/etcd.service.d/first.conf
  systemctl daemon-reload
  systemctl enable etcd
  systemctl start --no-block etcd`;

/** Emulated, etcd takes seconds. On processors it is 2 and a leader's silence 4: test/integration/controller/leader shows that. */
const etcdTimeoutS = 10;

const urls = machines.map(({ address }) => `https://${address}:2379`);
const client = {
  'etcd-ca': '/etc/orc/etcd/ca.crt',
  'etcd-cert': '/etc/orc/etcd/client.crt',
  'etcd-key': '/etc/orc/etcd/client.key',
  'etcd-timeout': etcdTimeoutS,
};

const settings = Object.entries({ etcd: `[${urls.join(', ')}]`, ...client })
  .map(([key, value]) => `${key}: ${value}\n`)
  .join('');

const moveToEtcd = `set -e
  cd /etc/orc/etcd
  until curl -fs --cacert ca.crt --cert client.crt --key client.key https://127.0.0.1:2379/health; do sleep 3; done
  systemctl stop orc-controller
  orc store migrate --from sqlite:/var/lib/orc/controller/store.db --to etcd:${urls.join()} \
    ${Object.entries(client)
      .flatMap(([flag, value]) => [`--${flag}`, value])
      .join(' ')}
  systemctl start orc-controller`;

/** An agent knows the controller that it joined at. */
const knowControllers = `
  sed -i 's/^controller: .*/controller: [${machines.map(({ address: at }) => `"${at}:6444"`).join(', ')}]/' /etc/orc/agent.yaml
  systemctl restart orc-agent`;

async function setUpEtcd(): Promise<void> {
  const files = await mkdtemp(join(tmpdir(), 'orc-etcd-files-'));
  onTestFinished(() => rm(files, { recursive: true }));
  const members = machines.map(({ name, address: at }) => `${name}=${at}`);
  outputOf('etcd-certificates', await runProgram(certificates, [files, ...members]));
  await onAll(async ({ name, run }) => {
    const copied = await testbed(['cp', join(files, name), `${name}:/root/etcd-files`]);
    outputOf('deploy/testbed cp', copied);
    await run(`${etcdSteps}\ncat >>/etc/orc/controller.yaml <<'END'\n${settings}END`);
  });
}

/** Made here, by orc with the admin's kubeconfig: a start of it on the machines takes seconds. */
async function newControllerToken(): Promise<string> {
  const { code, out, err } = await cluster.orc('token', 'create', '--controller');
  if (code !== 0) throw new Error(`orc token create: ${err}`);
  return out.trim();
}

const joinControllers = (token: string) => `
  printf 'join: https://${m1.address}:6443\ntoken: ${token}\n' >>/etc/orc/controller.yaml
  sh /mnt/provision controller`;

let leader: Machine;
let follower: Machine;
let last: Machine;
/** ConfigMaps whose creation was acknowledged. */
const acknowledged: string[] = [];

describe('the same machines with etcd and a controller on each', () => {
  it('have moved there by the recipe of docs/etcd.md, while their containers ran on', async () => {
    const before = await onAll(containersOf);
    await setUpEtcd();
    await Promise.all([m1.run(moveToEtcd), ...[m2, m3].map(({ run }) => run(knowControllers))]);
    await Promise.all([
      m1.run(knowControllers),
      ...[m2, m3].map(async ({ run }) => run(joinControllers(await newControllerToken()))),
    ]);
    await isWhole();
    expect(await onAll(containersOf)).toEqual(before);
    const { holderIdentity: holder } = (await leaderLease()).spec;
    leader = machines.find(({ name }) => name === holder) as Machine;
    [follower, last] = machines.filter(({ name }) => name !== holder) as [Machine, Machine];
    cluster = await last.connect();
  });

  it('have another leader, and take writes, when the one that led has been silent for long enough', async () => {
    for (let i = 0; i < 3; i++) await write();
    const ahead = await onAll(aheadMs);
    await leader.powerOff();
    const off = Date.now();
    const { holderIdentity, acquireTime } = await eventually('another leads', async () => {
      const { spec } = await leaderLease();
      return spec.holderIdentity !== leader.name && spec;
    });
    const winner = machines.findIndex(({ name }) => name === holderIdentity);
    const ledAfterS = (Date.parse(acquireTime) - (ahead[winner] ?? 0) - off) / 1000;
    await eventually('a write', write);
    const wroteAfterS = (Date.now() - off) / 1000;
    console.log(
      `another led after ${ledAfterS} s, and a write was seen done after ${wroteAfterS} s`,
    );
    // The silence, and a transaction: 5 s of etcd's usual two.
    expect(ledAfterS).toBeLessThan(2.5 * etcdTimeoutS);
  });

  it('refuse writes in words when two are off, and pods run on', async () => {
    const running = await containersOf(last);
    await follower.powerOff();
    const refusal = await eventually('a refusal', async () => {
      const answer = await create('never');
      return answer !== 'created' && answer;
    });
    expect(refusal).toMatch(/HTTP-Code: 503[\s\S]*etcd does not answer/);
    expect(running.length).toBeGreaterThan(0);
    expect(await containersOf(last)).toEqual(running);
  });

  it('go on with nothing lost when they are back', async () => {
    await onAll(({ powerOn }) => powerOn(), [leader, follower]);
    await eventually('a write', write);
    const { out } = await cluster.orc('get', 'configmaps', '-o', 'name');
    const there = out.split('\n');
    expect(acknowledged.filter((name) => !there.includes(`configmap/${name}`))).toEqual([]);
    await cluster.until('nodes', readyNodes(3));
    await cluster.until('pods', readyPods('hello', 6));
  });

  it('are as newly installed after orc reset, and as they were before when the package is purged', async () => {
    const purge = ({ run }: Machine) =>
      run('DEBIAN_FRONTEND=noninteractive apt-get -qq purge -y orc');
    const others = onAll(purge, [m1, m2]);
    await m3.run('orc reset --yes');
    const reset = (await tracesOn(m3)).filter((trace) => !etcdSettings.test(trace));
    await Promise.all([others, purge(m3)]);
    const leftBy = (traces: readonly string[], before: readonly string[] = []) =>
      traces.filter((trace) => !before.includes(trace) && !brought.test(trace));
    expect(leftBy(reset, installed)).toEqual([]);
    const purged = await onAll(tracesOn);
    expect(purged.map((traces, at) => leftBy(traces, bare[at]))).toEqual([[], [], []]);
  });
});

/** Says whether it was acknowledged, and remembers it then. */
async function write(): Promise<boolean> {
  const name = `written-${++writes}`;
  const isThere = (await create(name)) === 'created';
  if (isThere) acknowledged.push(name);
  return isThere;
}

let writes = 0;

/** Otherwise what was said. */
async function create(name: string): Promise<string> {
  const configMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default' },
  };
  try {
    await KubernetesObjectApi.makeApiClient(cluster.client).create(configMap);
    return 'created';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const leaderLease = () => objectOf(cluster, 'lease', 'orc-controller', '-n', 'kube-system');

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
