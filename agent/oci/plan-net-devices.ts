import { spaceDescriptor } from '../kernel/namespace-path.ts';
import { type Netlink, recordNetlink } from '../kernel/netlink.ts';
import type { Op } from '../kernel/op.ts';
import { ensureAddress, moveLink, setLinkUp } from '../kernel/rtnetlink.ts';
import { OciError } from './oci-error.ts';
import type { OciPlace } from './oci-place.ts';
import type { OciLinux } from './oci-spec.ts';
import { spaceOf } from './plan-spaces.ts';

/** Devices of the host that move into the container's network namespace: before it is joined, and when it is. */
export function planNetDevices(
  { netDevices = {}, namespaces }: OciLinux,
  { links = {} }: OciPlace,
): { readonly move: readonly Op[]; readonly settle: readonly Op[] } {
  const found = Object.entries(netDevices).map(([device, { name = device }]) => {
    const field = `linux.netDevices[${device}]`;
    if (!spaceOf({ namespaces }, 'network'))
      throw new OciError(field, 'invalid', 'needs a network namespace');
    const link = Object.hasOwn(links, device) && links[device];
    if (!link) throw new OciError(field, 'invalid', 'no such device');
    return { name, ...link };
  });
  const namespaceFd = spaceDescriptor('network');
  return {
    move: netlinkOp(found, (netlink, link) => moveLink(netlink, { ...link, namespaceFd })),
    settle: netlinkOp(found, (netlink, { index, addresses }) => {
      for (const address of addresses)
        ensureAddress(netlink, { linkIndex: index, ...address }, 'global');
      setLinkUp(netlink, index);
    }),
  };
}

function netlinkOp<T>(links: readonly T[], ask: (netlink: Netlink, link: T) => void): Op[] {
  if (links.length === 0) return [];
  const messages = recordNetlink((netlink) => {
    for (const link of links) ask(netlink, link);
  });
  return [{ op: 'netlink', messages }];
}
