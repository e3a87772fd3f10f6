import type { IncomingMessage } from 'node:http';
import type { Kind } from '../../api/kind.ts';
import { kinds as allKinds } from '../../api/kinds.ts';
import { Namespace } from '../../api/namespace.ts';
import { parseObject } from '../../api/prepare.ts';
import type { User } from '../../api/user-info.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { openMetrics } from '../../base/metrics.ts';
import { type Rng, systemRng } from '../../base/rng.ts';
import type { ApiServerDeps } from '../../controller/apiserver/call.ts';
import type { RequestLimits } from '../../controller/apiserver/request-limits.ts';
import { serviceAccountTokens } from '../../controller/apiserver/service-account-tokens.ts';
import { deriveKey, exportKey, newKey } from '../../controller/auth/key-pair.ts';
import { objectsByOwner } from '../../controller/controllers/garbage-collector.ts';
import type { PodAccess } from '../../controller/pod-access.ts';
import { sharedIndexes } from '../../controller/store/indexes.ts';
import type { Loop } from '../../controller/store/loop.ts';
import { startCache } from '../../controller/store/object-cache.ts';
import { objectCodec } from '../../controller/store/object-codec.ts';
import { openObjects } from '../../controller/store/object-store.ts';
import type { Cache, Index, Objects } from '../../controller/store/objects.ts';
import { runLoops } from '../../controller/store/run-loops.ts';
import { secretBox } from '../../controller/store/secret-box.ts';
import type { Store } from '../../controller/store/store.ts';
import { openUsageBoard, type UsageBoard } from '../../controller/usage-board.ts';
import { openMemoryStore } from '../contract/fakes/memory-store.ts';

/** What an API server needs, on a memory store unless another is given, with the namespace `default`. */
export interface ApiWorld {
  readonly deps: ApiServerDeps;
  readonly objects: Objects;
  readonly cache: Cache;
  readonly store: Store;
  close(): Promise<void>;
}

export interface ApiWorldOptions {
  readonly podAccess?: PodAccess;
  readonly authenticate?: (request: IncomingMessage) => User | undefined;
  readonly usage?: UsageBoard;
  readonly clock?: Clock;
  readonly rng?: Rng;
  readonly rememberedChanges?: number;
  readonly requestLimits?: RequestLimits;
  readonly indexes?: readonly Index[];
  /** Instead of those that orc has. */
  readonly kinds?: readonly Kind[];
  /** Default: none run. */
  readonly loops?: readonly Loop[];
  /** Default: one in memory. Its maker closes it. */
  readonly store?: Store;
}

export const admin: User = { name: 'admin', groups: ['system:masters'] };

export async function openApiWorld(options: ApiWorldOptions = {}): Promise<ApiWorld> {
  const clock = options.clock ?? systemClock();
  const { rememberedChanges = 1_000, kinds = allKinds, loops = [] } = options;
  const { indexes = [objectsByOwner, ...sharedIndexes] } = options;
  const base = { clock, rng: options.rng ?? systemRng(), log: silentLog };
  const store = options.store ?? openMemoryStore();
  const codec = objectCodec(secretBox(Buffer.alloc(32, 1), base.rng));
  const running = await startCache({
    ...base,
    store,
    codec,
    kinds,
    indexes,
    rememberedChanges,
  });
  const objects = openObjects({ ...base, store, codec });
  const parsed = parseObject(Namespace, { metadata: { name: 'default' } });
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  // A second one on the same store finds it there.
  if (!(await objects.get(Namespace, { namespace: '', name: 'default' })))
    await objects.create(Namespace, parsed.object);
  const { cache } = running;
  const runningLoops = runLoops(loops, { ...base, objects, cache, recordEvent: () => {} });
  return {
    store,
    objects,
    cache: running.cache,
    deps: {
      ...base,
      objects,
      cache: running.cache,
      currentRevision: () => store.revision(),
      readStore: () => store.get('/'),
      authenticate: options.authenticate ?? (() => admin),
      usage: options.usage ?? openUsageBoard(clock),
      metrics: openMetrics(),
      tokens: serviceAccountTokens({ key: await tokenKey(), cache: running.cache, ...base }),
      podAccess: options.podAccess ?? noPodAccess,
      serviceCidr: '10.96.0.0/16',
      requestLimits: options.requestLimits ?? { readOnly: 400, mutating: 200 },
    },
    close: async () => {
      await runningLoops.stop();
      await running.stop();
      if (!options.store) await store.close();
    },
  };
}

const tokenKey = async () => deriveKey(exportKey((await newKey()).privateKey), 'test');

const noPods = () => Promise.reject(new Error('this test has no pods'));

export const noPodAccess: PodAccess = {
  logs: noPods,
  exec: noPods,
  attach: noPods,
  portForward: noPods,
  nodeText: noPods,
};
