import type { Clock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import type { Rng } from '../../base/rng.ts';
import { standForElection } from '../../controller/leader/election.ts';
import { fencedStore, type Term } from '../../controller/leader/term.ts';
import { leaderKey } from '../../controller/store/keys.ts';
import { type Store, StoreError } from '../../controller/store/store.ts';
import { openMemoryStore } from '../contract/fakes/memory-store.ts';
import { type FakeClock, fakeClock } from './fake-clock.ts';
import { seededRng } from './seeded-rng.ts';

/** Several controllers that stand for election at one store, with hands on their time and their ways to it. */
export interface ElectionWorld {
  readonly clock: FakeClock;
  readonly store: Store;
  readonly controllers: readonly TestController[];
  /** Epochs of what was written by leaders, in the store's order. */
  readonly written: readonly number[];
  /** `check` is called every tenth of a second. */
  advance(ms: number, check?: () => void): Promise<void>;
  /** Who leads by its own clock. */
  leaders(): readonly TestController[];
  close(): Promise<void>;
}

export interface TestController {
  readonly name: string;
  readonly term: Term | undefined;
  start(isAlone?: boolean): void;
  /** Every term that it ever had tries a write. */
  write(): Promise<void>;
  /** Ends in order. */
  stop(): Promise<void>;
  /** As SIGSTOP and SIGCONT do: no timer fires and no answer arrives meanwhile, and time goes on. */
  stall(): void;
  resume(): void;
  /** 'deaf': what it asks is done, but no answer comes back. */
  reach(how: 'open' | 'down' | 'deaf'): void;
}

/** Enough turns for all that microtasks can do. */
const quiet = async () => {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
};

export async function openElectionWorld(count: number, silenceMs?: number): Promise<ElectionWorld> {
  const clock = fakeClock(1_000_000);
  const rng = seededRng(count);
  const store = openMemoryStore();
  const written: number[] = [];
  const controllers = Array.from({ length: count }, (_, i) =>
    testController(`c${i}`, { clock, rng, store, written, silenceMs }),
  );
  return {
    clock,
    store,
    controllers,
    written,
    async advance(ms, check = () => {}) {
      for (let left = ms; left > 0; left -= 100) {
        clock.advance(Math.min(100, left));
        await quiet();
        check();
      }
      await quiet();
    },
    leaders: () => controllers.filter(({ term }) => term?.holds()),
    async close() {
      for (const controller of controllers) {
        controller.resume();
        controller.reach('open');
      }
      await Promise.all(controllers.map((controller) => controller.stop()));
      await store.close();
    },
  };
}

interface Around {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly store: Store;
  readonly written: number[];
  readonly silenceMs: number | undefined;
}

function testController(name: string, around: Around): TestController {
  const process = stallable(around.clock);
  const way = wayTo(around.store, process.running);
  const terms: { readonly term: Term; readonly store: Pick<Store, 'commit'> }[] = [];
  let stop = async () => {};
  return {
    name,
    get term() {
      return terms.at(-1)?.term;
    },
    start(isAlone = false) {
      stop = standForElection({
        ...{ candidate: name, isAlone, store: way.store, rng: around.rng, log: silentLog },
        clock: process.clock,
        silenceMs: around.silenceMs,
        async lead(term) {
          terms.push({ term, store: fencedStore(around.store, term) });
          await new Promise((resolve) => term.signal.addEventListener('abort', resolve));
        },
      });
    },
    async write() {
      for (const { term, store } of terms) {
        const value = Buffer.from(String(around.clock.now()));
        const puts = [{ key: '/work', value }];
        await store.commit({ expect: [], puts, deletes: [] }).then(
          ({ committed }) => committed && around.written.push(term.epoch),
          () => undefined,
        );
      }
    },
    stop: () => stop(),
    stall: process.stall,
    resume: process.resume,
    reach: way.reach,
  };
}

function stallable(clock: Clock) {
  let gate = Promise.withResolvers<void>();
  gate.resolve();
  let isStalled = false;
  const due = new Set<() => void>();
  return {
    running: () => gate.promise,
    clock: {
      ...clock,
      after(ms: number, fn: () => void) {
        const cancel = clock.after(ms, () => (isStalled ? void due.add(fn) : fn()));
        return () => {
          due.delete(fn);
          cancel();
        };
      },
    },
    stall() {
      if (isStalled) return;
      isStalled = true;
      gate = Promise.withResolvers<void>();
    },
    resume() {
      isStalled = false;
      gate.resolve();
      for (const fn of [...due]) if (due.delete(fn)) fn();
    },
  };
}

function wayTo(store: Store, running: () => Promise<void>) {
  let how: 'open' | 'down' | 'deaf' = 'open';
  const unreachable = () => new StoreError('Unavailable', 'no way to the store');
  const over = async <T>(call: () => Promise<T>): Promise<T> => {
    if (how === 'down') throw unreachable();
    const answer = await call();
    await running();
    if (how === 'deaf') throw unreachable();
    return answer;
  };
  const through: Store = {
    ...store,
    get: (key) => over(() => store.get(key)),
    commit: (transaction) => over(() => store.commit(transaction)),
    revision: () => over(() => store.revision()),
    async *watch(prefix, options) {
      for await (const batch of store.watch(prefix, options)) yield await over(async () => batch);
    },
  };
  return {
    store: through,
    reach(next: typeof how) {
      how = next;
    },
  };
}

/** As an administrator might. */
export const removeLeaderKey = (store: Store) =>
  store.commit({ expect: [], puts: [], deletes: [leaderKey] });
