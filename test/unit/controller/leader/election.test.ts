import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type ElectionWorld,
  openElectionWorld,
  removeLeaderKey,
} from '../../../support/election-world.ts';
import { rounds } from '../../../support/rounds.ts';

let world: ElectionWorld;
afterEach(() => world.close());

const names = () => world.leaders().map(({ name }) => name);

async function startAll(count: number, silenceMs?: number): Promise<void> {
  world = await openElectionWorld(count, silenceMs);
  for (const controller of world.controllers) {
    controller.start();
    await world.advance(10);
  }
}

describe('an election', () => {
  it('has one leader, and the others wait', async () => {
    await startAll(3);
    expect(names()).toEqual(['c0']);
    await world.advance(20_000);
    expect(names()).toEqual(['c0']);
    expect(world.controllers[0]?.term?.epoch).toBe(1);
  });

  it('has the next leader at once when one ends in order, with the next epoch', async () => {
    await startAll(2);
    await world.controllers[0]?.stop();
    await world.advance(1);
    expect(names()).toEqual(['c1']);
    expect(world.controllers[1]?.term?.epoch).toBe(2);
  });

  it('has the next leader when one that was killed has been silent for long enough', async () => {
    await startAll(2);
    world.controllers[0]?.stall();
    await world.advance(3400);
    expect(names(), 'it may still lead').toEqual(['c0']);
    await world.advance(200);
    expect(names(), 'its time is over, but its silence not yet long enough').toEqual([]);
    await world.advance(600);
    expect(names()).toEqual(['c1']);
  });

  it('waits for as long as it is told to, where the store is slow', async () => {
    await startAll(2, 20_000);
    world.controllers[0]?.stall();
    await world.advance(19_400);
    expect(names(), 'it may still lead').toEqual(['c0']);
    await world.advance(1500);
    expect(names()).toEqual(['c1']);
  });

  it('has no leader whose beats come to nothing, and the same one again when it can', async () => {
    await startAll(1);
    world.controllers[0]?.reach('down');
    await world.advance(3600);
    expect(names()).toEqual([]);
    expect(world.controllers[0]?.term?.signal.aborted).toBe(true);
    world.controllers[0]?.reach('open');
    await world.advance(3000);
    expect(names()).toEqual(['c0']);
    expect(world.controllers[0]?.term?.epoch).toBe(2);
  });

  it('lets one that is alone take over at once what a killed predecessor left', async () => {
    world = await openElectionWorld(2);
    world.controllers[0]?.start(true);
    await world.advance(10);
    world.controllers[0]?.stall();
    world.controllers[1]?.start(true);
    await world.advance(10);
    expect(world.controllers[1]?.term).toMatchObject({ epoch: 2 });
    await world.controllers[0]?.write();
    expect(world.written, 'what it left behind is fenced off').toEqual([]);
  });

  it('lets one that is alone lead on however long its store or its process is held up', async () => {
    world = await openElectionWorld(1);
    const [controller] = world.controllers;
    controller?.start(true);
    await world.advance(10);
    controller?.reach('down');
    await world.advance(20_000);
    controller?.reach('open');
    controller?.stall();
    await world.advance(20_000);
    controller?.resume();
    await controller?.write();
    expect(world.written).toEqual([1]);
    expect(names()).toEqual(['c0']);
  });

  it('refuses the writes of a leader whose key is gone, which then stands down', async () => {
    await startAll(2);
    await removeLeaderKey(world.store);
    await world.controllers[0]?.write();
    expect(world.written).toEqual([]);
    expect(world.controllers[0]?.term?.signal.reason).toBe('another controller leads');
  });
});

const who = fc.nat({ max: 2 });
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.integer({ min: 10, max: 4000 }).map((ms) => ({ do: 'wait', ms }) as const),
  },
  { weight: 2, arbitrary: who.map((i) => ({ do: 'stall', i }) as const) },
  { weight: 2, arbitrary: who.map((i) => ({ do: 'resume', i }) as const) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(who, fc.constantFrom('open' as const, 'down' as const, 'deaf' as const))
      .map(([i, how]) => ({ do: 'reach', i, how }) as const),
  },
  { weight: 1, arbitrary: who.map((i) => ({ do: 'restart', i }) as const) },
  { weight: 1, arbitrary: fc.constant({ do: 'remove key' } as const) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function take(next: Step, check: () => void): Promise<void> {
  if (next.do === 'wait') return world.advance(next.ms, check);
  if (next.do === 'remove key') return void (await removeLeaderKey(world.store));
  const controller = world.controllers[next.i];
  switch (next.do) {
    case 'stall':
      return controller?.stall();
    case 'resume':
      return controller?.resume();
    case 'reach':
      return controller?.reach(next.how);
    case 'restart': {
      const stopped = controller?.stop();
      controller?.resume();
      await world.advance(1500);
      await stopped;
      controller?.start();
    }
  }
}

async function play(steps: readonly Step[], check: () => void): Promise<void> {
  await startAll(3);
  try {
    for (const next of steps) {
      await take(next, check);
      await Promise.all(world.controllers.map((controller) => controller.write()));
    }
    for (const controller of world.controllers) {
      controller.resume();
      controller.reach('open');
    }
    await world.advance(8000);
    expect(world.leaders(), 'in the end one leads').toHaveLength(1);
    expect(world.written, 'no write is older than one before it').toEqual(
      world.written.toSorted((a, b) => a - b),
    );
  } finally {
    await world.close();
  }
}

const runs = { numRuns: rounds(40) };

describe('whatever stalls, ends or loses its way to the store', () => {
  it('never are there two leaders, and none whose writes come after its successor’s', async () => {
    const steps = fc.array(
      step.filter((s) => s.do !== 'remove key'),
      { maxLength: 25 },
    );
    await fc.assert(
      fc.asyncProperty(steps, (chosen) =>
        play(chosen, () => expect(world.leaders().length).toBeLessThanOrEqual(1)),
      ),
      runs,
    );
  });

  it('even if the key is taken away from a leader, no write comes after its successor’s', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), (chosen) => play(chosen, () => {})),
      runs,
    );
  });
});
