import type { Op } from '../kernel/op.ts';
import { OciError } from './oci-error.ts';
import type { OciLinux, OciNamespaceType } from './oci-spec.ts';
import { spaceOf } from './plan-spaces.ts';

/** Only those that a namespace of the container's own has for itself; every other one would be the host's. */
export function planSysctls(linux: OciLinux): readonly Op[] {
  return Object.entries(linux.sysctl ?? {}).map(([name, value]) => {
    const field = `linux.sysctl[${name}]`;
    const steps = stepsOf(name);
    if (steps.some((step) => !/^[A-Za-z0-9_.-]+$/.test(step) || /^\.+$/.test(step)))
      throw new OciError(field, 'invalid', 'no name of a sysctl');
    const path = steps.join('/');
    const owner = owners.find(([names]) => names.test(path))?.[1];
    if (owner === undefined || !spaceOf(linux, owner))
      throw new OciError(field, 'invalid', 'not in a namespace of the container');
    return { op: 'write', path: `sys/${path}`, proc: true, bytes: Buffer.from(value) };
  });
}

/** "net.ipv4.conf.eth0/1.x" or "net/ipv4/conf/eth0.1/x": sysctl(8). */
function stepsOf(name: string): readonly string[] {
  const [first] = /[./]/.exec(name) ?? [];
  return first === '/' ? name.split('/') : name.split('.').map((step) => step.replaceAll('/', '.'));
}

const owners: readonly (readonly [RegExp, OciNamespaceType])[] = [
  [/^net\//, 'network'],
  [/^kernel\/(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)$/, 'ipc'],
  [/^fs\/mqueue\//, 'ipc'],
  [/^kernel\/domainname$/, 'uts'],
];
