import type { Store } from '../store/store.ts';

const key = '/orc/fence/epoch';

/**
 * The next epoch, higher than every one before: taken once by each new leader. What it assigns is newer than all that
 * a deposed one still says, whatever the store's revision (agents compare epoch first).
 */
export async function takeFence(store: Store): Promise<number> {
  for (;;) {
    const current = await store.get(key);
    const epoch = Number(Buffer.from(current?.value ?? '0').toString()) + 1;
    const outcome = await store.commit({
      expect: [{ key, revision: current?.revision ?? 0 }],
      puts: [{ key, value: Buffer.from(String(epoch)) }],
      deletes: [],
    });
    if (outcome.committed) return epoch;
  }
}
