import { type Nftables, NftablesError } from '../kernel/nftables.ts';
import { NetworkError } from './network-error.ts';
import {
  addElement,
  deleteElement,
  observeRules,
  planRules,
  type RuleState,
  type RuleTable,
  ruleStateOf,
  ruleTableName,
} from './rule-table.ts';
import { podElement, podSet } from './service-rules.ts';

/** Keeps the kernel's table as it was last asked for. Throws NetworkError. */
export interface RuleKeeper {
  apply(table: RuleTable): void;
  /** Lets the link carry the address from now on, and no other. */
  admitPod(link: string, ip: string): void;
  dismissPod(link: string, ip: string): void;
}

export function ruleKeeper(nftables: Nftables): RuleKeeper {
  let known: RuleState | undefined;

  const observe = (): RuleState => {
    nftables.applyRuleset(`add table ${ruleTableName}`);
    return observeRules(nftables.listTable(ruleTableName) ?? []);
  };
  const bringTo = (table: RuleTable) => {
    const plan = planRules((known ??= observe()), table);
    if (plan.change) nftables.applyRuleset(plan.change);
    known = ruleStateOf(table);
    if (plan.cleanUp) nftables.applyRuleset(plan.cleanUp);
  };
  const setPod = (key: string, present: boolean) => {
    const pods = new Map(known?.sets.get(podSet));
    if (pods.has(key) === present) return;
    nftables.applyRuleset(present ? addElement(podSet, key) : deleteElement(podSet, key));
    if (present) pods.set(key, '');
    else pods.delete(key);
    known = known && { ...known, sets: new Map(known.sets).set(podSet, pods) };
  };

  /** Someone else may have changed the table (`nft flush ruleset`): so a failure makes us look, and try once more. */
  const withFreshLook = (act: () => void) => {
    try {
      act();
    } catch (error) {
      if (!(error instanceof NftablesError)) throw error;
      retry(act);
    }
  };
  const retry = (act: () => void) => {
    try {
      known = observe();
      act();
    } catch (cause) {
      known = undefined;
      throw new NetworkError('RulesFailed', { cause });
    }
  };

  return {
    apply: (table) => withFreshLook(() => bringTo(table)),
    admitPod: (link, ip) => withFreshLook(() => setPod(podElement(link, ip), true)),
    dismissPod: (link, ip) => withFreshLook(() => setPod(podElement(link, ip), false)),
  };
}
