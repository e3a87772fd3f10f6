import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Op } from '../../agent/kernel/op.ts';

/** Does with iproute2 what the C program does for the pod's side, for tests that have no shim. */
export async function runOpsInNetns(path: string, ops: readonly Op[]): Promise<void> {
  const script = ['set -e', ...ops.map(command)].join('\n');
  await promisify(execFile)('nsenter', [`--net=${path}`, 'sh', '-c', script]);
}

function command(op: Op): string {
  switch (op.op) {
    case 'write':
      return `printf %s '${Buffer.from(op.bytes).toString()}' > ${op.path}`;
    case 'link-up':
      return `ip link set ${op.link} up`;
    case 'add-address':
      return `ip address add ${op.address}/${op.prefix} dev ${op.link}`;
    case 'add-route': {
      const way = op.gateway === undefined ? 'scope link' : `via ${op.gateway}`;
      return `ip route add ${op.destination}/${op.prefix} ${way} dev ${op.link}`;
    }
    default:
      throw new Error(`no operation of the network's: ${op.op}`);
  }
}
