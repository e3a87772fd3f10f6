import type { Netlink } from '../kernel/netlink.ts';
import { addSetElement, deleteSetElement, interfaceNameKey } from '../kernel/nft-set.ts';
import { type Nftables, NftablesError } from '../kernel/nftables.ts';
import { ipv4Bytes } from '../kernel/rtnetlink.ts';
import { NetworkError } from './network-error.ts';
import * as rules from './rule-table.ts';
import { podElement, podSet } from './service-rules.ts';

/**
 * Keeps the kernel's table as it was last asked for. Throws NetworkError, and NetlinkError for pods. `elements` is a
 * socket for nftables.
 */
export function ruleKeeper(nftables: Nftables, elements: Netlink) {
  let known: rules.RuleState | undefined;

  const observe = (): rules.RuleState => {
    nftables.applyRuleset(`add table ${rules.ruleTableName}`);
    return rules.observeRules(nftables.listTable(rules.ruleTableName) ?? []);
  };
  const bringTo = (table: rules.RuleTable, state: rules.RuleState) => {
    const plan = rules.planRules(state, table);
    if (plan.change) nftables.applyRuleset(plan.change);
    if (plan.cleanUp) nftables.applyRuleset(plan.cleanUp);
    known = rules.ruleStateOf(table);
  };
  /** Someone else may have changed the table: so a failure makes us look, and try once more. */
  const applyLooking = (table: rules.RuleTable) => {
    try {
      known = undefined;
      bringTo(table, observe());
    } catch (cause) {
      throw new NetworkError('RulesFailed', { cause });
    }
  };
  const remember = (change: (pods: Map<string, string>) => void) => {
    if (!known) return;
    const pods = new Map(known.sets.get(podSet));
    change(pods);
    known = { ...known, sets: new Map(known.sets).set(podSet, pods) };
  };

  return {
    apply(table: rules.RuleTable) {
      if (!known) return applyLooking(table);
      try {
        bringTo(table, known);
      } catch (error) {
        if (!(error instanceof NftablesError)) throw error;
        applyLooking(table);
      }
    },
    /**
     * Lets the link carry the address from now on, and no other. False: the rules are not there (someone has flushed
     * them), and must be applied as a whole.
     */
    admitPod(link: string, ip: string): boolean {
      if (!addSetElement(elements, podSetElement(link, ip))) {
        known = undefined;
        return false;
      }
      remember((pods) => pods.set(podElement(link, ip), ''));
      return true;
    },
    dismissPod(link: string, ip: string): void {
      deleteSetElement(elements, podSetElement(link, ip));
      remember((pods) => pods.delete(podElement(link, ip)));
    },
  };
}

function podSetElement(link: string, ip: string) {
  const [, table = ''] = rules.ruleTableName.split(' ');
  return { table, set: podSet, key: Buffer.concat([interfaceNameKey(link), ipv4Bytes(ip)]) };
}
