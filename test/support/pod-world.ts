import type { NewAssignment } from '../../agent/ledger/assignment.ts';
import type { PodEvent } from '../../agent/pods/pod-context.ts';
import type { PodMemories, PodMemory } from '../../agent/pods/pod-memory.ts';
import { type PodWorkers, startPodWorkers } from '../../agent/pods/pod-workers.ts';
import type { Container, NetworkTable } from '../../agent/ports.ts';
import type { ReportedStatus } from '../../agent/session/session-options.ts';
import { silentLog } from '../../base/log.ts';
import { fakeContainers } from '../contract/fakes/fake-containers.ts';
import { fakeImages } from '../contract/fakes/fake-images.ts';
import { fakeLedger } from '../contract/fakes/fake-ledger.ts';
import { fakeNetwork } from '../contract/fakes/fake-network.ts';
import { fakeSandboxes } from '../contract/fakes/fake-sandboxes.ts';
import { fakeVolumes } from '../contract/fakes/fake-volumes.ts';
import { aPod } from './a-pod.ts';
import { fakeClock } from './fake-clock.ts';
import { seededRng } from './seeded-rng.ts';

type Json = Readonly<Record<string, unknown>>;

export type PodWorld = Awaited<ReturnType<typeof podWorld>>;

/** A host in memory, whose time the test moves, and the pod workers of an agent on it. */
export async function podWorld() {
  const clock = fakeClock(Date.UTC(2026, 0, 1));
  const sandboxes = fakeSandboxes();
  const containers = fakeContainers(sandboxes, clock);
  const ports = {
    ...{ sandboxes, containers, images: fakeImages() },
    ...{ volumes: fakeVolumes(), network: fakeNetwork() },
  };
  const ledger = fakeLedger();
  const memories = fakeMemories();
  const events: PodEvent[] = [];
  /** Every status that was put out, by all agents of this host. */
  const reported: ReportedStatus[] = [];
  let onReport: (report: ReportedStatus) => void = () => {};
  let revision = 0;
  let workers: PodWorkers;

  const nextGeneration = () => ({ epoch: 1, revision: ++revision });
  const start = async () => {
    workers = await startPodWorkers({
      ...{ ports, ledger, memories, clock, rng: seededRng(1), log: silentLog, workers: 8 },
      events: { record: (event) => void events.push(event) },
      nodeName: 'host1',
      hostIp: '172.30.0.11',
      logDir: '/logs',
      nodeResolvConf: 'nameserver 9.9.9.9\n',
    });
    workers.onChange((uid) => {
      const status = workers.statuses().get(uid);
      if (!status) return;
      reported.push(status);
      onReport(status);
    });
    await quiet();
  };

  ports.images.publish('web:1', { sizeBytes: 1000 });
  await ledger.accept({ kind: 'snapshot', generation: nextGeneration(), pods: [], network: table });
  await ports.network.apply(table);
  await start();

  const world = {
    ...ports,
    ...{ clock, ledger, events, reported },
    async assign(assignment: NewAssignment) {
      await ledger.accept({ kind: 'assign', generation: nextGeneration(), pod: assignment });
      await quiet();
    },
    /** As the API does: the pod stays assigned until it is reported terminated. */
    delete: (assignment: NewAssignment, graceSeconds = 30) =>
      world.assign(deleted(assignment, graceSeconds)),
    async forget(uid: string) {
      await ledger.accept({ kind: 'remove', generation: nextGeneration(), uid });
      await quiet();
    },
    /** The agent ends and starts again; the host goes on meanwhile. */
    async restartAgent(meanwhile: () => Promise<void> | void = () => {}) {
      await workers.stop();
      await meanwhile();
      await start();
    },
    onReport: (listener: typeof onReport) => void (onReport = listener),
    stop: () => workers.stop(),
    /** Time passes in steps of a second, as long as something is going on in it. */
    async elapse(ms: number) {
      await quiet();
      for (let left = ms; left > 0; left -= 1000) {
        clock.advance(Math.min(left, 1000));
        await quiet();
      }
    },
    report: (uid: string) => workers.statuses().get(uid),
    status: (uid = 'web') => workers.statuses().get(uid)?.status,
    /** "web/0 running" …, of every attempt on record. */
    async containersOf(uid = 'web') {
      return (await containers.list(uid)).map(attemptWords);
    },
    reasons: () => events.map((event) => event.reason),
    messages: (reason: string) => events.flatMap((e) => (e.reason === reason ? e.message : [])),
  };
  return world;
}

function fakeMemories(): PodMemories {
  const kept = new Map<string, PodMemory>();
  return {
    list: async () => [...kept.keys()],
    read: async (uid) => kept.get(uid),
    write: async (uid, memory) => void kept.set(uid, memory),
    remove: async (uid) => void kept.delete(uid),
  };
}

/** Fakes answer in microtasks: when a macrotask gets its turn, everybody is done. */
export const quiet = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const attemptWords = ({ id, state }: Container) => `${id.name}/${id.attempt} ${state}`;

/** Pod and uid have the same name; one container "web" of image web:1 unless the spec says otherwise. */
export function podNamed(name = 'web', spec: Json = {}): NewAssignment {
  const pod = aPod(spec, { name, uid: name });
  return { uid: name, pod, configMaps: new Map(), secrets: new Map(), runtimeHandler: '' };
}

function deleted(assignment: NewAssignment, graceSeconds: number): NewAssignment {
  const { pod } = assignment;
  const metadata = {
    ...pod.metadata,
    deletionTimestamp: '2026-01-01T01:00:00Z',
    deletionGracePeriodSeconds: graceSeconds,
  };
  return { ...assignment, pod: { ...pod, metadata } };
}

const table: NetworkTable = {
  podCidr: '10.244.0.0/22',
  clusterPodCidr: '10.244.0.0/14',
  serviceCidr: '10.96.0.0/16',
  clusterDomain: 'cluster.local',
  dnsServiceIp: '10.96.0.10',
  nodes: [{ name: 'host1', address: '172.30.0.11', podCidr: '10.244.0.0/22' }],
  services: [],
};
