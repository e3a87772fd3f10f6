import type { Kind, KubeObject } from '../../api/kind.ts';
import { kinds } from '../../api/kinds.ts';
import { Lease } from '../../api/lease.ts';
import { Node } from '../../api/node.ts';
import { Pod } from '../../api/pod.ts';
import { parseObject } from '../../api/prepare.ts';
import type { Fields } from '../../api/schema.ts';
import type { Base } from '../../base/base.ts';
import { formatMicroTime, formatTime, systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { admitting } from '../../controller/admission/admit.ts';
import { controllerLoops } from '../../controller/controllers/controller-loops.ts';
import { ensureFirstObjects } from '../../controller/controllers/first-objects.ts';
import { schedulerLoop } from '../../controller/scheduler/scheduler.ts';
import { eventRecorder } from '../../controller/store/event-recorder.ts';
import { podsByNode, sharedIndexes } from '../../controller/store/indexes.ts';
import { keyOf } from '../../controller/store/keys.ts';
import { startCache } from '../../controller/store/object-cache.ts';
import { objectCodec } from '../../controller/store/object-codec.ts';
import { openObjects } from '../../controller/store/object-store.ts';
import type { Cache, Objects, TiedObjects } from '../../controller/store/objects.ts';
import { runLoops } from '../../controller/store/run-loops.ts';
import { secretBox } from '../../controller/store/secret-box.ts';
import { openMemoryStore } from '../contract/fakes/memory-store.ts';
import { seededRng } from './seeded-rng.ts';

/** A controller without its network side: the store in memory, every loop, and an agent that only pretends. */
export interface TestCluster {
  readonly objects: Objects;
  readonly cache: Cache;
  /** As the API server would: parsed, defaulted, created. */
  apply<F extends Fields>(kind: Kind<F>, manifest: object): Promise<KubeObject<F>>;
  addNode(name: string, options?: NodeOptions): Promise<void>;
  /** The node's lease is no longer renewed, and its agent no longer acts. */
  silence(node: string): void;
  hear(node: string): Promise<void>;
  /** Resolves when `holds` gives something other than undefined and false; rejects after 25 seconds. */
  eventually<T>(holds: () => T | undefined | false): Promise<T>;
  stop(): Promise<void>;
}

export interface NodeOptions {
  readonly cpu?: string;
  readonly memory?: string;
  readonly pods?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

const eventuallyMs = 25_000;
const heartbeatMs = 300;

export async function startTestCluster(): Promise<TestCluster> {
  const clock = systemClock();
  const rng = seededRng(7);
  const log = silentLog;
  const store = openMemoryStore();
  const codec = objectCodec(secretBox(rng.bytes(32), rng));
  const stored = openObjects({ store, codec, clock, rng });
  const work = clusterWork();
  const { cache, stop: stopCache } = await startCache({
    store,
    codec,
    kinds,
    indexes: work.indexes,
    clock,
    rng,
    log,
  });
  const {
    objects,
    agents,
    stop: stopWork,
  } = await work.start({
    ...{ objects: stored, cache, clock, rng, log },
  });

  const eventually = async <T>(holds: () => T | undefined | false): Promise<T> => {
    const found = () => {
      const value = holds();
      return value === undefined || value === false ? undefined : { value };
    };
    const now = found();
    if (now) return now.value;
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        unsubscribe();
        cancel();
        settle();
      };
      const unsubscribe = cache.onChange(() => {
        const then = found();
        if (then) end(() => resolve(then.value));
      });
      const cancel = clock.after(eventuallyMs, () =>
        end(() => reject(new Error(`never came true: ${String(holds)}`))),
      );
    });
  };

  return {
    objects,
    cache,
    async apply(kind, manifest) {
      const parsed = parseObject(kind, manifest, { namespace: 'default' });
      if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
      return objects.create(kind, parsed.object);
    },
    addNode: (name, options = {}) => agents.add(name, options),
    silence: (node) => agents.silence(node),
    hear: (node) => agents.hear(node),
    eventually,
    async stop() {
      await stopWork();
      await stopCache();
      await store.close();
    },
  };
}

/** Every loop, agents that only pretend, and the indexes that a cache must have for them. */
export function clusterWork() {
  const { loops, indexes } = controllerLoops();
  const start = async (given: Base & { readonly objects: TiedObjects; readonly cache: Cache }) => {
    const objects = admitting(given);
    await ensureFirstObjects(objects);
    const deps = { ...given, objects };
    const recordEvent = eventRecorder(deps);
    const running = runLoops([...loops, schedulerLoop], { ...deps, recordEvent });
    const agents = pretendAgents(deps);
    const stop = async () => {
      await running.stop();
      await agents.stop();
    };
    return { objects, agents, recordEvent, stop };
  };
  return { indexes: [...sharedIndexes, ...indexes], start };
}

/** Marks the pods of its nodes ready, ends those that terminate, renews leases. */
function pretendAgents({ objects, cache }: Pick<TestCluster, 'objects' | 'cache'>) {
  const clock = systemClock();
  const heard = new Set<string>();
  const pending = new Set<Promise<unknown>>();
  const track = (work: Promise<unknown>) => {
    const tracked = work.catch(() => undefined).finally(() => pending.delete(tracked));
    pending.add(tracked);
  };
  const act = (pod: Pod) => {
    if (!heard.has(pod.spec.nodeName ?? '')) return;
    if (pod.metadata.deletionTimestamp) {
      track(objects.delete(Pod, keyOf(pod), { gracePeriodSeconds: 0 }));
    } else if (pod.status.phase === 'Pending') track(markRunning(objects, pod));
  };
  const unsubscribe = cache.onChange(({ kind, object }) => {
    if (kind === Pod && object) act(object as Pod);
  });
  let cancel = () => {};
  /** As the dispatcher: what the controller took away is given back. */
  const beatOf = async (name: string) => {
    await renewLease(objects, name);
    const conditions = cache.get(Node, { namespace: '', name })?.status.conditions;
    if (conditions?.some((c) => c.type === 'Ready' && c.status === 'Unknown'))
      await markNodeReady(objects, name);
  };
  const beat = () => {
    for (const node of heard) track(beatOf(node));
    cancel = clock.after(heartbeatMs, beat);
  };
  beat();
  return {
    async add(name: string, options: NodeOptions) {
      await objects.create(Node, newNode(name, options));
      heard.add(name);
      await renewLease(objects, name);
    },
    silence: (node: string) => void heard.delete(node),
    async hear(node: string) {
      heard.add(node);
      await beatOf(node);
      for (const pod of cache.byIndex(podsByNode, node)) act(pod);
    },
    async stop() {
      unsubscribe();
      cancel();
      heard.clear();
      await Promise.all(pending);
    },
  };
}

function newNode(name: string, { cpu = '4', memory = '8Gi', pods = '110', labels }: NodeOptions) {
  const now = formatTime(systemClock().now());
  const allocatable = { cpu, memory, pods };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec: {},
    status: {
      allocatable,
      capacity: allocatable,
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: now } as const],
    },
  };
}

async function renewLease(objects: Objects, name: string): Promise<void> {
  const key = { namespace: 'kube-node-lease', name };
  const spec = {
    holderIdentity: name,
    leaseDurationSeconds: 4,
    renewTime: formatMicroTime(systemClock().now()),
  };
  const renewed = await objects.modify(Lease, { key, part: 'all' }, (lease) => ({
    ...lease,
    spec,
  }));
  if (renewed) return;
  await objects.create(Lease, { apiVersion: '', kind: '', metadata: key, spec });
}

async function markNodeReady(objects: Objects, name: string): Promise<void> {
  const target = { key: { namespace: '', name }, part: 'status' as const };
  await objects.modify(Node, target, (node) => {
    const others = (node.status.conditions ?? []).filter(({ type }) => type !== 'Ready');
    const conditions = [...others, { type: 'Ready', status: 'True' as const }];
    return { ...node, status: { ...node.status, conditions } };
  });
}

let nextAddress = 1;

function markRunning(objects: Objects, pod: Pod) {
  const now = formatTime(systemClock().now());
  return objects.modify(Pod, { key: keyOf(pod), part: 'status' }, (stored) => {
    if (stored.status.phase !== 'Pending') return undefined;
    const others = (stored.status.conditions ?? []).filter(({ type }) => type !== 'Ready');
    const ready = { type: 'Ready', status: 'True', lastTransitionTime: now } as const;
    const containerStatuses = stored.spec.containers.map(({ name, image }) => ({
      ...{ name, image, imageID: '', restartCount: 0, ready: true, started: true },
      ...{ state: { running: { startedAt: now } }, lastState: {} },
    }));
    const podIP = `10.244.0.${nextAddress++ % 250}`;
    return {
      ...stored,
      status: {
        ...stored.status,
        phase: 'Running' as const,
        podIP,
        conditions: [...others, ready],
        containerStatuses,
      },
    };
  });
}
