import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, writeFileSync } from 'node:fs';
import type { Base } from '../../base/base.ts';
import { type Netlink, recordNetlink } from '../kernel/netlink.ts';
import type { Op } from '../kernel/op.ts';
import * as rtnetlink from '../kernel/rtnetlink.ts';
import type { AttachRequest } from '../ports.ts';

export interface PodLinkParts extends Pick<Base, 'clock' | 'log'> {
  readonly netlink: Netlink;
  /** A socket of its own: on it the kernel takes its time. */
  readonly reaper: Netlink;
}

/**
 * A pod's link: a veth pair without a bridge. The pod sees one neighbour, 169.254.1.1, which is the host end; the host
 * has one route, to the pod's address. So every packet of a pod is routed by the host, and passes all of its rules.
 * The host end goes up last: a link that is up tells of a pod's side that is complete.
 */
export function podLinks(parts: PodLinkParts) {
  const { netlink } = parts;
  const reaper = linkReaper(parts);
  return {
    /** Safe to repeat; a link that is complete stays as it is, one that isn't is made anew. */
    async connect(request: AttachRequest, podIp: string, mtu: number): Promise<void> {
      const namespaceFd = openSync(request.networkNamespace, 'r');
      try {
        const name = podLinkName(request.uid);
        const found = rtnetlink.findLink(netlink, name);
        const isOurs =
          found?.up && found.group !== deadGroup && leadsTo(netlink, found, namespaceFd);
        if (found && !isOurs) await reaper.reap(found.index);
        if (!isOurs) {
          rtnetlink.createVeth(netlink, {
            name,
            peerName: 'eth0',
            peerNamespaceFd: namespaceFd,
            mtu,
          });
          const peerIndex = rtnetlink.findLink(netlink, name)?.peerIndex ?? 0;
          await request.runInside(podSideOps(podIp, peerIndex));
        }
        setUpHostEnd(netlink, name, podIp);
      } finally {
        closeSync(namespaceFd);
      }
    },
    /** Removes the route. The link goes with the pod's namespace, or soon after. */
    disconnect(uid: string, podIp: string | undefined): void {
      const found = rtnetlink.findLink(netlink, podLinkName(uid));
      if (podIp !== undefined && found)
        rtnetlink.removeRoute(netlink, podRoute(podIp, found.index));
      if (found) reaper.leave(found.index);
    },
    close: () => reaper.close(),
  };
}

/** The name of a pod's host end: as long as a link's name may be, so that no two pods of a node share it. */
export const podLinkName = (uid: string): string =>
  `${podLinkPrefix}${createHash('sha256').update(uid).digest('hex').slice(0, 12)}`;

/** Rules match on it: no other link of the host may be called so. */
export const podLinkPrefix = 'orc';
export const podGateway = '169.254.1.1';

/** rtm_protocol of the routes to pods, so that `ip route` tells whose they are. */
export const podRouteProtocol = 0x70;
/** Links in this group are dead: "or". */
const deadGroup = 0x6f72;

function leadsTo(netlink: Netlink, link: rtnetlink.Link, namespaceFd: number): boolean {
  const { peerNamespaceId } = link;
  return (
    peerNamespaceId !== undefined && peerNamespaceId === rtnetlink.namespaceId(netlink, namespaceFd)
  );
}

/** The pod's side: one address, and everything by way of the host end. IPv6 is off until pods have such addresses. */
export function podSideOps(podIp: string, linkIndex: number): readonly Op[] {
  const route = { ...podRoute(podGateway, linkIndex), protocol: RTPROT_STATIC };
  const messages = recordNetlink((netlink) => {
    rtnetlink.setLinkUp(netlink, linkIndex);
    rtnetlink.ensureAddress(netlink, { linkIndex, address: podIp, prefix: 32 }, 'global');
    rtnetlink.putRoute(netlink, route);
    rtnetlink.putRoute(netlink, {
      ...route,
      destination: '0.0.0.0',
      prefix: 0,
      gateway: podGateway,
    });
  });
  return [...(hasIpv6() ? ipv6Off : []), { op: 'netlink', messages }];
}

const RTPROT_STATIC = 4;

const ipv6Off: readonly Op[] = Object.entries({ accept_ra: '0', disable_ipv6: '1' }).flatMap(
  ([key, value]) =>
    ['all', 'default', 'eth0'].map((link) => {
      const path = `/proc/sys/net/ipv6/conf/${link}/${key}`;
      return { op: 'write', path, bytes: Buffer.from(value) };
    }),
);

const hasIpv6 = () => existsSync('/proc/sys/net/ipv6/conf/all/disable_ipv6');

function setUpHostEnd(netlink: Netlink, name: string, podIp: string): void {
  const link = rtnetlink.findLink(netlink, name);
  if (!link) throw new Error(`link ${name} is gone`);
  if (!link.up) {
    if (hasIpv6()) writeFileSync(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, '1');
    writeFileSync(`/proc/sys/net/ipv4/conf/${name}/send_redirects`, '0');
    rtnetlink.setLinkUp(netlink, link.index);
  }
  // Of scope host, so that the host's own connections to a pod come from the host's real address.
  rtnetlink.ensureAddress(
    netlink,
    { linkIndex: link.index, address: podGateway, prefix: 32 },
    'host',
  );
  rtnetlink.putRoute(netlink, podRoute(podIp, link.index));
}

function podRoute(podIp: string, linkIndex: number): rtnetlink.Ipv4Route {
  const protocol = podRouteProtocol;
  return { destination: podIp, prefix: 32, protocol, kind: 'unicast', linkIndex };
}

/**
 * Deleting a link takes some 16 ms however many go at once, with the kernel's one lock on links held. So those that are
 * left go with their namespaces, which the kernel ends many at once; only what is still there a little later is deleted.
 */
function linkReaper({ netlink, reaper, clock, log }: PodLinkParts) {
  let last: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  let cancel: (() => void) | undefined;
  const pass = () => {
    next = undefined;
    return rtnetlink.deleteLinkGroup(reaper, deadGroup);
  };
  const reapDead = () => {
    next ??= last = last.then(pass, pass);
    return next;
  };
  const reapLeft = () => {
    cancel = undefined;
    reapDead().catch((err) => log.warn({ err }, 'links of pods that are gone stay'));
  };
  return {
    reap(index: number): Promise<void> {
      rtnetlink.setLinkGroup(netlink, index, deadGroup);
      return reapDead();
    },
    leave(index: number): void {
      rtnetlink.setLinkGroup(netlink, index, deadGroup);
      cancel ??= clock.after(leftForMs, reapLeft);
    },
    async close(): Promise<void> {
      cancel?.();
      await Promise.allSettled([last]);
    },
  };
}

const leftForMs = 500;
