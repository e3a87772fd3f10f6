import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  planRollingUpdate,
  type Rollout,
  rolloutLimits,
} from '../../../../controller/controllers/rolling-update.ts';

describe('the limits of a rollout', () => {
  const check = (
    name: string,
    [desired, bounds]: Parameters<typeof rolloutLimits>,
    expected: ReturnType<typeof rolloutLimits>,
  ) => it(name, () => expect(rolloutLimits(desired, bounds)).toEqual(expected));

  check('are a quarter each by default, surge rounded up and unavailable down', [10, undefined], {
    maxSurge: 3,
    maxUnavailable: 2,
  });
  check('take numbers as they are', [10, { maxSurge: 4, maxUnavailable: 0 }], {
    maxSurge: 4,
    maxUnavailable: 0,
  });
  check(
    'let one pod be missing when both come to nothing',
    [10, { maxSurge: 0, maxUnavailable: '5%' }],
    {
      maxSurge: 0,
      maxUnavailable: 1,
    },
  );
  check('let no more be missing than are wanted', [2, { maxSurge: 1, maxUnavailable: 5 }], {
    maxSurge: 1,
    maxUnavailable: 2,
  });
});

describe('a step of a rollout', () => {
  const check = (name: string, rollout: Rollout, expected: ReturnType<typeof planRollingUpdate>) =>
    it(name, () => expect(planRollingUpdate(rollout)).toEqual(expected));
  const limits = { maxSurge: 1, maxUnavailable: 0 };

  check(
    'brings up as many new pods as the surge allows',
    {
      desired: 3,
      limits,
      next: { replicas: 0, available: 0 },
      old: [{ replicas: 3, available: 3 }],
    },
    { next: 1, old: [3] },
  );
  check(
    'takes no old pod away before a new one is available',
    {
      desired: 3,
      limits,
      next: { replicas: 1, available: 0 },
      old: [{ replicas: 3, available: 3 }],
    },
    { next: 1, old: [3] },
  );
  check(
    'takes one old pod away for each new one that is available',
    {
      desired: 3,
      limits,
      next: { replicas: 1, available: 1 },
      old: [{ replicas: 3, available: 3 }],
    },
    { next: 1, old: [2] },
  );
  check(
    'takes old pods away that never became available, whatever the new ones do',
    {
      desired: 3,
      limits: { maxSurge: 1, maxUnavailable: 1 },
      next: { replicas: 1, available: 0 },
      old: [{ replicas: 3, available: 2 }],
    },
    { next: 1, old: [2] },
  );
  check(
    'scales the new one down when fewer are wanted than it has',
    { desired: 2, limits, next: { replicas: 5, available: 5 }, old: [] },
    { next: 2, old: [] },
  );
  check(
    'does not count availability that is older than the scale',
    {
      desired: 3,
      limits: { maxSurge: 0, maxUnavailable: 1 },
      next: { replicas: 1, available: 0 },
      old: [{ replicas: 2, available: 3 }],
    },
    { next: 1, old: [2] },
  );
});

/**
 * A rollout as it goes on: between steps ReplicaSets follow, new pods become available in any order, and statuses may
 * lag. Old pods stay available until removed.
 */
const worlds = fc.record({
  desired: fc.integer({ min: 1, max: 20 }),
  maxSurge: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constantFrom('0%', '25%', '100%')),
  maxUnavailable: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constantFrom('0%', '25%', '100%')),
  oldSets: fc.integer({ min: 1, max: 3 }),
  /** Before each step: how many of the waiting new pods become available. */
  luck: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 10, maxLength: 200 }),
});

function* rollOut(world: typeof worlds extends fc.Arbitrary<infer W> ? W : never) {
  const { desired, oldSets } = world;
  const limits = rolloutLimits(desired, world);
  let next = { replicas: 0, available: 0 };
  let old = Array.from({ length: oldSets }, (_, i) => {
    const replicas = Math.floor(desired / oldSets) + (i < desired % oldSets ? 1 : 0);
    return { replicas, available: replicas };
  });
  for (const becoming of [...world.luck, ...Array.from({ length: 100 }, () => 1)]) {
    next = { ...next, available: Math.min(next.replicas, next.available + becoming) };
    const step = planRollingUpdate({ desired, limits, next, old });
    next = { replicas: step.next, available: Math.min(next.available, step.next) };
    old = step.old.map((replicas, i) => ({
      replicas,
      available: Math.min(replicas, old[i]?.available ?? 0),
    }));
    yield { next, old, limits };
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0);

describe('a rollout', () => {
  it('never has fewer available pods than it may', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        for (const { next, old, limits } of rollOut(world)) {
          const available = sum([next, ...old].map((scale) => scale.available));
          expect(available).toBeGreaterThanOrEqual(world.desired - limits.maxUnavailable);
        }
      }),
    );
  });

  it('never has more pods than it may', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        for (const { next, old, limits } of rollOut(world)) {
          const pods = sum([next, ...old].map(({ replicas }) => replicas));
          expect(pods).toBeLessThanOrEqual(world.desired + limits.maxSurge);
        }
      }),
    );
  });

  it('ends, with all pods new, if pods become available', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const end = [...rollOut(world)].at(-1);
        expect(end?.next).toEqual({ replicas: world.desired, available: world.desired });
        expect(sum(end?.old.map(({ replicas }) => replicas) ?? [])).toBe(0);
      }),
    );
  });
});
