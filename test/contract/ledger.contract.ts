import { beforeEach, describe, expect, it } from 'vitest';
import type { Ledger, LedgerChange, NewAssignment } from '../../agent/ledger/assignment.ts';
import type { NetworkTable } from '../../agent/ports.ts';
import { aPod } from '../support/a-pod.ts';

const table: NetworkTable = {
  podCidr: '10.244.0.0/22',
  clusterPodCidr: '10.244.0.0/14',
  serviceCidr: '10.96.0.0/16',
  clusterDomain: 'cluster.local',
  dnsServiceIp: '10.96.0.10',
  nodes: [],
  services: [],
};

export const newAssignment = (
  uid: string,
  spec: Readonly<Record<string, unknown>> = {},
): NewAssignment => ({
  uid,
  pod: aPod(spec, { uid }),
  configMaps: new Map(),
  secrets: new Map(),
  runtimeHandler: '',
});

export const assign = (revision: number, pod: NewAssignment, epoch = 1): LedgerChange => ({
  kind: 'assign',
  generation: { epoch, revision },
  pod,
});

export const snapshot = (
  revision: number,
  pods: readonly NewAssignment[],
  epoch = 1,
): LedgerChange => ({
  kind: 'snapshot',
  generation: { epoch, revision },
  pods,
  network: table,
});

const remove = (revision: number, uid: string): LedgerChange => ({
  kind: 'remove',
  generation: { epoch: 1, revision },
  uid,
});

export function ledgerContract(open: () => Promise<Ledger>): void {
  describe('a ledger', () => {
    let ledger: Ledger;
    let changed: string[];
    beforeEach(async () => {
      ledger = await open();
      changed = [];
      ledger.onChange((uid) => changed.push(uid));
    });

    it('knows nothing at first', () => {
      expect([ledger.pods().size, ledger.network(), ledger.generation()]).toEqual([
        0,
        undefined,
        undefined,
      ]);
    });

    it('replaces everything by a snapshot, and tells each pod and the network once', async () => {
      await ledger.accept(snapshot(1, [newAssignment('a'), newAssignment('b')]));
      expect(changed).toEqual(['a', 'b', 'network']);
      changed.length = 0;
      await ledger.accept(snapshot(2, [newAssignment('b'), newAssignment('c')]));
      expect([...ledger.pods().keys()]).toEqual(['b', 'c']);
      expect(changed).toEqual(['a', 'c']);
    });

    it('takes assignments and removals, each with its generation', async () => {
      await ledger.accept(assign(5, newAssignment('a')));
      expect(ledger.pods().get('a')?.generation).toEqual({ epoch: 1, revision: 5 });
      await ledger.accept(remove(6, 'a'));
      expect([ledger.pods().size, ledger.generation()]).toEqual([0, { epoch: 1, revision: 6 }]);
      expect(changed).toEqual(['a', 'a']);
    });

    it('says nothing of a pod that comes again just the same', async () => {
      await ledger.accept(assign(5, newAssignment('a')));
      const entry = ledger.pods().get('a');
      await ledger.accept(assign(6, newAssignment('a')));
      expect(changed).toEqual(['a']);
      expect(ledger.pods().get('a')).toBe(entry);
    });

    it('refuses what is older, by epoch first', async () => {
      await ledger.accept(assign(5, newAssignment('a'), 2));
      expect(await ledger.accept(assign(4, newAssignment('b'), 2))).toBe('stale');
      expect(await ledger.accept(assign(900, newAssignment('b'), 1))).toBe('stale');
      expect(await ledger.accept(assign(5, newAssignment('b'), 2))).toBe('accepted');
      expect(await ledger.accept(assign(1, newAssignment('c'), 3))).toBe('accepted');
      expect([...ledger.pods().keys()]).toEqual(['a', 'b', 'c']);
    });

    it('gives every pod ids of its own, none with hostUsers, and keeps them when the pod changes', async () => {
      await ledger.accept(
        snapshot(1, [
          newAssignment('a'),
          newAssignment('b'),
          newAssignment('host', { hostUsers: true }),
        ]),
      );
      const ids = (uid: string) => ledger.pods().get(uid)?.userNamespace;
      expect(ids('a')).toEqual({ firstId: 1_048_576, size: 65_536 });
      expect(ids('b')).toEqual({ firstId: 1_114_112, size: 65_536 });
      expect(ids('host')).toBeUndefined();
      await ledger.accept(assign(2, newAssignment('a', { hostname: 'other' })));
      expect(ids('a')?.firstId).toBe(1_048_576);
    });

    it('gives ids that have just become free to nobody else yet', async () => {
      await ledger.accept(assign(1, newAssignment('a')));
      await ledger.accept(remove(2, 'a'));
      await ledger.accept(assign(3, newAssignment('b')));
      expect(ledger.pods().get('b')?.userNamespace?.firstId).toBe(1_114_112);
    });

    it('takes changes in the order of the calls', async () => {
      const outcomes = await Promise.all([
        ledger.accept(assign(1, newAssignment('a'))),
        ledger.accept(remove(2, 'a')),
        ledger.accept(assign(1, newAssignment('late'))),
        ledger.accept(assign(3, newAssignment('b'))),
      ]);
      expect(outcomes).toEqual(['accepted', 'accepted', 'stale', 'accepted']);
      expect([...ledger.pods().keys()]).toEqual(['b']);
    });

    it('never changes a map that was read', async () => {
      await ledger.accept(assign(1, newAssignment('a')));
      const read = ledger.pods();
      await ledger.accept(remove(2, 'a'));
      expect([...read.keys()]).toEqual(['a']);
    });

    it('stops telling after unsubscribe', async () => {
      const seen: string[] = [];
      const unsubscribe = ledger.onChange((uid) => seen.push(uid));
      unsubscribe();
      await ledger.accept(assign(1, newAssignment('a')));
      expect(seen).toEqual([]);
    });
  });
}
