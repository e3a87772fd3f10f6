import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { CgroupDirectory } from '../kernel/cgroup-trees.ts';
import { parseMountinfo } from '../kernel/mountinfo.ts';
import { openRouteNetlink } from '../kernel/netlink.ts';
import { findLink, listAddresses } from '../kernel/rtnetlink.ts';
import type { OciPlace } from '../oci/oci-place.ts';
import type { OciSpec } from '../oci/oci-spec.ts';
import type { Call } from './call.ts';
import { birthplace } from './container-cgroup.ts';
import type { Stored } from './container-state.ts';
import type { HookSubject } from './hooks.ts';
import { completed } from './process.ts';

export function placeFor(
  call: Call,
  of: {
    readonly spec: OciSpec;
    readonly bundle: string;
    readonly cgroups: readonly CgroupDirectory[];
    readonly gate?: string;
  },
): OciPlace {
  const { spec, bundle, cgroups, gate } = of;
  const { seccomp, netDevices } = spec.linux ?? {};
  return {
    bundle,
    root: undefined,
    rootMount: mountOf(resolve(bundle, spec.root?.path ?? '')),
    cgroups,
    attach: birthplace(cgroups).attach,
    filter: seccomp && call.compile(seccomp),
    modules: call.modules,
    ...(netDevices && { links: linksNamed(Object.keys(netDevices)) }),
    ...(gate !== undefined && { gate }),
    powerless: call.power !== 'root',
    entersAsRoot: true,
    lockDevices: false,
  };
}

/** The mount that a path lies on. */
function mountOf(path: string): string {
  const mounts = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'));
  const above = mounts
    .map(({ mount }) => mount)
    .filter((mount) => `${path}/`.startsWith(mount === '/' ? '/' : `${mount}/`));
  return above.reduce((longest, mount) => (mount.length > longest.length ? mount : longest), '/');
}

function linksNamed(names: readonly string[]): NonNullable<OciPlace['links']> {
  const netlink = openRouteNetlink();
  try {
    const addresses = listAddresses(netlink);
    const found = names.flatMap((name) => {
      const link = findLink(netlink, name);
      const own = addresses.filter(({ linkIndex }) => linkIndex === link?.index);
      return link ? [[name, { index: link.index, addresses: own }] as const] : [];
    });
    return Object.fromEntries(found);
  } finally {
    netlink.close();
  }
}

/** What later calls need of a container that is there. */
export function subjectOf(call: Call, { directory, record, spec }: Stored): HookSubject {
  const { id, bundle, cgroups } = record;
  const there = completed(call, joined(spec, record.pid), bundle);
  return { id, bundle, directory, spec: there, place: placeFor(call, { spec, bundle, cgroups }) };
}

/** The namespaces that were new are the first process' own. */
function joined(spec: OciSpec, pid: number): OciSpec {
  const held: Readonly<Record<string, string>> = {
    user: 'user',
    network: 'net',
    ipc: 'ipc',
    uts: 'uts',
  };
  const namespaces = spec.linux?.namespaces?.map((space) =>
    held[space.type] && !space.path
      ? { ...space, path: `/proc/${pid}/ns/${held[space.type]}` }
      : space,
  );
  return { ...spec, linux: { ...spec.linux, ...(namespaces && { namespaces }) } };
}
