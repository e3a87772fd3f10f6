import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const reset = join(import.meta.dirname, '../../../deploy/reset');

/** All that it looks at is private to these namespaces: files, cgroups, network. */
const machine = `
  mount --make-rprivate /
  for dir in /var/lib /run /etc /sys/fs/cgroup; do mount -t tmpfs none $dir; done
  mkdir -p /var/lib/other /etc/orc
  touch /etc/orc/controller.yaml
  ip link set lo up
  ip link add uplink type veth peer name far
  ip address add 192.0.2.1/24 dev uplink
  ip link set uplink up
  nft add table ip other
  look() {
    ip -oneline address | cut -d' ' -f2-7; ip -oneline link | cut -d: -f2; ip route show table all
    nft list tables; find /var/lib /run /etc; grep orc /proc/self/mountinfo || true
  }
`;

const leaveState = `
  mkdir -p /var/lib/orc/agent/ledger /run/orc/pods/a/files
  echo '{"generation":1,"network":{"dnsServiceIp":"10.96.0.10","nodes":[]}}' >/var/lib/orc/agent/ledger/network.json
  touch /etc/orc/agent.yaml
  mount -t tmpfs none /run/orc/pods/a/files
  touch /run/orc/pods/a/files/kept
  ip link add orc0123456789ab type veth peer name pod
  ip address add 10.96.0.10/32 dev lo
  ip route add 10.96.0.0/16 dev uplink proto 111
  ip route add unreachable 10.244.0.0/22 proto 111
  nft add table ip orc
`;

/** What it saw before there was any state of orc's, and after each command. */
function seenAround(...commands: readonly string[]): readonly string[] {
  const steps = commands.map(
    (command) => `${command.trim()}; echo "exit $?"; look >&3; echo ---- >&3`,
  );
  const script = `exec 3>&1 >&2; set -e; ${machine} look >&3; echo ---- >&3; set +e; ${steps.join('\n')}`;
  const all = execFileSync('unshare', ['--mount', '--net', 'sh', '-c', script], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return all.split('----\n').slice(0, -1);
}

it('leaves nothing of orc on a machine, and everything else, however often it runs', () => {
  const [before, used, after, again] = seenAround(leaveState, reset, reset);
  expect(used).toContain('orc0123456789ab');
  expect([after, again]).toEqual([before, before]);
});

it('takes what a half-made installation has', () => {
  const [before, after] = seenAround(`mkdir -p /var/lib/orc/controller; ${reset}`);
  expect(after).toBe(before);
});
