import { afterEach, beforeEach, expect, it } from 'vitest';
import type { PodReport } from '../../../../api/generated/agent.ts';
import { Pod } from '../../../../api/pod.ts';
import { StatusError } from '../../../../api/status.ts';
import { silentLog } from '../../../../base/log.ts';
import { type PodReports, podReports } from '../../../../controller/dispatcher/pod-reports.ts';
import type { Objects } from '../../../../controller/store/objects.ts';
import { aPod } from '../../../support/a-pod.ts';
import { type ObjectWorld, objectWorld } from '../../../support/object-world.ts';
import { seededRng } from '../../../support/seeded-rng.ts';
import { waitFor } from '../../../support/wait-for.ts';

let world: ObjectWorld;
let reports: PodReports;
let failures: number;
beforeEach(async () => {
  failures = 0;
  world = await objectWorld();
  await world.objects.create(Pod, aPod());
  await world.settled();
  const { clock, cache } = world;
  const objects: Objects = {
    ...world.objects,
    async modify(...args) {
      if (failures-- > 0) throw new StatusError('ServiceUnavailable', 'the disk is full');
      return world.objects.modify(...args);
    },
  };
  reports = podReports({ objects, cache, clock, rng: seededRng(1), log: silentLog });
});
afterEach(async () => {
  await reports.stop();
  await world.stop();
});

const stored = () => world.cache.list(Pod)[0] as Pod;

function report(phase: string, statusJson = JSON.stringify({ phase })): PodReport {
  const { uid, name, namespace = '' } = stored().metadata;
  const generation = { epoch: 1, revision: 1 };
  return { uid, name, namespace, generation, statusJson, terminated: false };
}

const hasPhase = (phase: string) =>
  waitFor(`phase ${phase}`, () => {
    world.clock.advance(100);
    return stored().status.phase === phase;
  });

it('writes what it could not write at first: the node does not say it twice', async () => {
  failures = 3;
  expect(reports.take('host1', report('Running'))).toBe('taken');
  await hasPhase('Running');
});

it('writes the newest of what arrives while it writes', async () => {
  for (const phase of ['Pending', 'Running', 'Succeeded']) reports.take('host1', report(phase));
  await hasPhase('Succeeded');
});

it('drops nonsense, and takes what comes after it', async () => {
  reports.take('host1', report('', '{"phase":'));
  reports.take('host1', report('', '{"phase":7}'));
  reports.take('host1', report('Running'));
  await hasPhase('Running');
});

it('takes nothing about a pod of another node', () => {
  expect(reports.take('host2', report('Running'))).toBe('unknown');
});
