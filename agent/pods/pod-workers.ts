import { everyContainer } from '../../api/pod-facts.ts';
import type { Metrics } from '../../base/metrics.ts';
import type { Rng } from '../../base/rng.ts';
import { type Reconciler, runReconciler } from '../../base/run-reconciler.ts';
import type { Ledger } from '../ledger/assignment.ts';
import { endBackground, type PodContext, type PodRecord } from './pod-context.ts';
import { passOver } from './pod-pass.ts';
import { statusBoard } from './status-board.ts';

export interface PodWorkersOptions extends Omit<PodContext, 'wake' | 'network'> {
  readonly ledger: Ledger;
  readonly rng: Rng;
  readonly metrics?: Metrics | undefined;
  /** Pods worked on at the same time. */
  readonly workers: number;
}

export type PodWorkers = Awaited<ReturnType<typeof startPodWorkers>>;

/** One worker per pod, woken whenever something about the pod changes. */
export async function startPodWorkers(options: PodWorkersOptions) {
  const { ledger, ports, clock, rng, log, metrics, workers } = options;
  const records = new Map<string, PodRecord>();
  const board = statusBoard();
  const context: PodContext = {
    ...options,
    network: () => ledger.network(),
    wake: (uid) => reconciler.wake(uid),
  };
  const reconciler: Reconciler<string> = runReconciler({
    name: 'pods',
    reconcile: (uid, signal) => passOver(uid, signal, { context, ledger, records, board }),
    backoff: { firstMs: 200, capMs: 30_000 },
    ...{ workers, clock, rng, log, metrics },
  });
  const unsubscribe = ledger.onChange((changed) => {
    if (changed !== 'network') reconciler.wake(changed);
  });
  ports.containers.onChange((uid) => reconciler.wake(uid));
  for (const uid of await everyPodThereIs(options)) reconciler.wake(uid);
  return {
    statuses: board.statuses,
    onChange: board.onChange,
    /** Ids of images that pods start from, and references that they name. */
    neededImages: () => neededImages(records.values(), ledger),
    /** Pods go on without it; nothing of this object does. */
    async stop(): Promise<void> {
      unsubscribe();
      await reconciler.stop();
      for (const record of records.values()) endBackground(record);
    },
  };
}

function neededImages(records: Iterable<PodRecord>, ledger: Ledger): ReadonlySet<string> {
  const ids = [...records].flatMap(({ images }) =>
    [...images.values()].flatMap((known) => (known.state === 'present' ? [known.image.id] : [])),
  );
  const references = [...ledger.pods().values()].flatMap(({ pod: { spec } }) =>
    everyContainer(spec).map(({ image }) => image),
  );
  return new Set([...ids, ...references]);
}

/** Assigned, or left over from before: every one needs a look after a start. */
async function everyPodThereIs({ ledger, ports, memories }: PodWorkersOptions) {
  const [sandboxes, networks, volumes, remembered] = await Promise.all([
    ports.sandboxes.list(),
    ports.network.list(),
    ports.volumes.list(),
    memories.list(),
  ]);
  return new Set([
    ...ledger.pods().keys(),
    ...sandboxes.map((s) => s.uid),
    ...networks.map((n) => n.uid),
    ...volumes,
    ...remembered,
  ]);
}
