import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ImageError } from '../../../../agent/images/image-error.ts';
import type { NewAssignment } from '../../../../agent/ledger/assignment.ts';
import { type PodWorld, podNamed, podWorld } from '../../../support/pod-world.ts';
import { rounds } from '../../../support/rounds.ts';

/** What the controller wants of one pod, and what its processes did of themselves. */
interface WantedPod {
  readonly assignment: NewAssignment;
  deleted: boolean;
}
interface Model {
  /** Of registries that don't answer at the moment. */
  readonly held: (() => void)[];
  readonly pods: Map<string, WantedPod>;
}
type Command = fc.AsyncCommand<Model, PodWorld>;

const policies = ['Always', 'OnFailure', 'Never'] as const;
const uids = ['a', 'b', 'c'];

const command = (
  words: string,
  run: (model: Model, world: PodWorld) => Promise<unknown>,
  check: (model: Model) => boolean = () => true,
): Command => ({ check, run: (m, w) => run(m, w).then(() => {}), toString: () => words });

function assign(uid: string, policy: (typeof policies)[number], init: boolean): Command {
  const containers = ['one', 'two'].map((name) => ({ name, image: 'web:1' }));
  const initContainers = init ? [{ name: 'first', image: 'web:1' }] : [];
  const volumes = [{ name: 'data', emptyDir: {} }];
  return command(
    `assign ${uid} ${policy}${init ? ' with init' : ''}`,
    (model, world) => {
      const spec = { containers, initContainers, volumes, restartPolicy: policy };
      const assignment = podNamed(uid, spec);
      model.pods.set(uid, { assignment, deleted: false });
      return world.assign(assignment);
    },
    (model) => !model.pods.has(uid),
  );
}

const remove = (uid: string) =>
  command(
    `delete ${uid}`,
    (model, world) => {
      const pod = model.pods.get(uid)!;
      pod.deleted = true;
      return world.delete(pod.assignment, 10);
    },
    (model) => model.pods.has(uid),
  );

const forget = (uid: string) =>
  command(`forget ${uid}`, (model, world) => {
    model.pods.delete(uid);
    return world.forget(uid);
  });

/** Whatever runs under that name ends. */
const exit = (uid: string, name: string, exitCode: number) =>
  command(`${uid}/${name} exits with ${exitCode}`, async (_, world) => {
    for (const { id } of await world.containers.list(uid))
      if (id.name === name) world.containers.exit(id, exitCode);
    await world.elapse(1);
  });

/** The agent is stopped while it is busy: so many steps after something happened to a pod. */
const interrupt = (uid: string, ticks: number, how: 'lost' | 'exits') =>
  command(`${uid} ${how}, the agent restarts ${ticks} ticks later`, async (_, world) => {
    const all = await world.containers.list(uid);
    if (how === 'exits') for (const { id } of all) world.containers.exit(id, 1);
    else if (await world.sandboxes.find(uid)) world.sandboxes.lose(uid);
    for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
    await world.restartAgent();
  });

const lose = (uid: string) =>
  command(`lose ${uid}`, async (_, world) => {
    if (await world.sandboxes.find(uid)) world.sandboxes.lose(uid);
    await world.elapse(1);
  });

const pullFails = new ImageError('RegistryUnavailable', 'no route to the registry');
const commands = fc.commands(
  [
    fc
      .tuple(fc.constantFrom(...uids), fc.constantFrom(...policies), fc.boolean())
      .map(([uid, policy, init]) => assign(uid, policy, init)),
    fc.constantFrom(...uids).map(remove),
    fc.constantFrom(...uids).map(forget),
    fc
      .tuple(
        fc.constantFrom(...uids),
        fc.constantFrom('first', 'first', 'one', 'two'),
        fc.constantFrom(0, 0, 1, 137),
      )
      .map(([uid, name, code]) => exit(uid, name, code)),
    fc.constantFrom(...uids).map(lose),
    fc.constant(command('restart the agent', (_, world) => world.restartAgent())),
    fc
      .tuple(
        fc.constantFrom(...uids),
        fc.nat({ max: 80 }),
        fc.constantFrom('lost' as const, 'exits' as const),
      )
      .map(([uid, ticks, how]) => interrupt(uid, ticks, how)),
    fc.constant(
      command('pulls fail', async (_, world) => {
        for (const image of await world.images.list())
          await world.images.remove(image.id, Number.POSITIVE_INFINITY);
        world.images.publish('web:1', pullFails);
      }),
    ),
    fc.constant(
      command('pulls hang', async (model, world) => {
        for (const image of await world.images.list())
          await world.images.remove(image.id, Number.POSITIVE_INFINITY);
        model.held.push(world.images.hold('web:1'));
      }),
    ),
    fc.constant(
      command('pulls work', async (model, world) => {
        release(model);
        world.images.publish('web:1', {});
        await world.elapse(1);
      }),
    ),
    fc
      .constantFrom(1000, 15_000, 120_000)
      .map((ms) => command(`${ms} ms pass`, (_, world) => world.elapse(ms))),
  ],
  { maxCommands: 30 },
);

/** What must not be at any moment: two attempts of one container that run at once, a pod reported gone that is there. */
function watchForLies(world: PodWorld): string[] {
  const lies: string[] = [];
  world.onReport(({ uid, terminated }) => {
    if (terminated && world.sandboxes.specs.has(uid)) lies.push(`${uid} is reported gone`);
  });
  world.containers.onChange((uid) => {
    void world.containers.list(uid).then((all) => {
      const names = all.filter((c) => c.state === 'running').map((c) => c.id.name);
      if (new Set(names).size < names.length) lies.push(`${uid}: ${names.join(' ')}`);
    });
  });
  return lies;
}

const release = ({ held }: Model): void => {
  for (const letGo of held.splice(0)) letGo();
};

async function settle(model: Model, world: PodWorld): Promise<void> {
  const { pods } = model;
  release(model);
  world.images.publish('web:1', {});
  await world.elapse(400_000);
  // Init containers end well; what waits for a back-off then gets its turn.
  for (const uid of pods.keys()) {
    for (const { id } of await world.containers.list(uid))
      if (id.name === 'first') world.containers.exit(id, 0);
  }
  await world.elapse(400_000);
}

/** Nothing but the wanted pods is on the host, and each of them is as its policy says. */
async function expectOrder({ pods }: Model, world: PodWorld): Promise<void> {
  const wanted = [...pods].filter(([, { deleted }]) => !deleted).map(([uid]) => uid);
  const addresses = (await world.network.list()).map(({ uid }) => uid);
  expect({
    volumes: (await world.volumes.list()).toSorted(),
    strangers: [...addresses, ...world.sandboxes.specs.keys()].filter((u) => !wanted.includes(u)),
    stillThere: [...pods].filter(([uid, p]) => p.deleted && !world.report(uid)?.terminated),
  }).toEqual({ volumes: wanted.toSorted(), strangers: [], stillThere: [] });
  for (const uid of wanted) await expectPod(uid, pods.get(uid)!, world);
}

async function expectPod(uid: string, { assignment }: WantedPod, world: PodWorld): Promise<void> {
  const { restartPolicy } = assignment.pod.spec;
  const status = world.status(uid);
  const running = (await world.containers.list(uid)).filter((c) => c.state === 'running');
  const names = running.map((c) => c.id.name).toSorted();
  if (names.length > 0) expect(world.sandboxes.networkOps.get(uid)).toBeDefined();
  if (restartPolicy === 'Always') expect(names).toEqual(['one', 'two']);
  const states = status?.containerStatuses?.map((c) => Object.keys(c.state)[0]) ?? [];
  const phaseOf = {
    Always: ['Running'],
    OnFailure: ['Running', 'Succeeded'],
    Never: ['Running', 'Succeeded', 'Failed'],
  };
  expect(phaseOf[restartPolicy]).toContain(status?.phase);
  expect(states.filter((s) => s === 'running')).toHaveLength(names.length);
  if (status?.phase === 'Running') expect(names.length).toBeGreaterThan(0);
}

it('always ends with exactly the wanted containers running, nothing else, and never two of one', async () => {
  await fc.assert(
    fc.asyncProperty(commands, async (cmds) => {
      const world = await podWorld();
      const model: Model = { held: [], pods: new Map() };
      const lies = watchForLies(world);
      try {
        await fc.asyncModelRun(() => ({ model, real: world }), cmds);
        await settle(model, world);
        await expectOrder(model, world);
        expect(lies).toEqual([]);
      } finally {
        await world.stop();
      }
    }),
    { numRuns: rounds(150) },
  );
});
