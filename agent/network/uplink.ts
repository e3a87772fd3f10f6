import type { Netlink } from '../kernel/netlink.ts';
import { findLinkByIndex, type Link, listAddresses } from '../kernel/rtnetlink.ts';
import type { NetworkTable } from '../ports.ts';

/** The link by which this node reaches the others: the one with the node's address. undefined: no link has it. */
export function findUplink(netlink: Netlink, table: NetworkTable): Link | undefined {
  const own = ownAddress(table);
  const found = listAddresses(netlink).find(({ address }) => address === own);
  return found && findLinkByIndex(netlink, found.linkIndex);
}

/** A node knows itself in the table by its pod CIDR. */
export function ownAddress(table: NetworkTable): string | undefined {
  return table.nodes.find((node) => node.podCidr === table.podCidr)?.address;
}
