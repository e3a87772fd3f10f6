import { epochKey } from '../store/keys.ts';
import { type LeaderMark, taking } from '../store/leader-mark.ts';
import type { Store } from '../store/store.ts';

/** What the store says of a leader at its beginning. */
export interface Claim {
  /**
   * Higher than that of every leader before. What it assigns is newer than all that a deposed one still says, whatever
   * the store's revision: agents compare the epoch first.
   */
  readonly epoch: number;
  /** That of the leader's key, for as long as it leads. */
  readonly revision: number;
}

/** Takes the key and the next epoch in one transaction; undefined: somebody else was faster. */
export async function claimLeadership(
  store: Store,
  left: LeaderMark,
  candidate: string,
): Promise<Claim | undefined> {
  const last = await store.get(epochKey);
  const epoch = Number(Buffer.from(last?.value ?? '0').toString()) + 1;
  const { expect, puts, deletes } = taking(left, candidate);
  const outcome = await store.commit({
    expect: [...expect, { key: epochKey, revision: last?.revision ?? 0 }],
    puts: [...puts, { key: epochKey, value: Buffer.from(String(epoch)) }],
    deletes,
  });
  return outcome.committed ? { epoch, revision: outcome.revision } : undefined;
}
