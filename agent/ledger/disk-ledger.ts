import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compareGenerations, formatGeneration, type Generation } from '../../api/generation.ts';
import type { Base } from '../../base/base.ts';
import * as durable from '../../base/durable-file.ts';
import {
  assignmentCodec,
  type Ledger,
  type LedgerChange,
  type NetworkFile,
  type PodAssignment,
} from './assignment.ts';
import { type Assignments, nextAssignments, noAssignments } from './next-assignments.ts';

export interface DiskLedgerOptions extends Pick<Base, 'rng' | 'log'> {
  /** Made with mode 0700: network.json and pods/UID.json. */
  readonly dir: string;
  /** 32 bytes: {@link ensureNodeKey}. */
  readonly key: Uint8Array;
}

/** The change was not taken; the cause says why: the disk, or no user ids left. */
class LedgerError extends Error {
  override readonly name = 'LedgerError';
}

/** What was accepted before is there at once. A file that can't be read is left out, with an error in the log. */
export async function openLedger(options: DiskLedgerOptions): Promise<Ledger> {
  const files = ledgerFiles(options);
  await mkdir(files.podsDir, { recursive: true, mode: 0o700 });
  return diskLedger(files, { state: await files.read(), log: options.log });
}

type Waiting = Readonly<{
  change: LedgerChange;
  outcome: PromiseWithResolvers<'accepted' | 'stale'>;
}>;

/** What arrives while files are being written joins the next round: one flush for all of it. */
function diskLedger(files: LedgerFiles, start: { state: Assignments; log: Base['log'] }): Ledger {
  let { state } = start;
  let waiting: Waiting[] = [];
  let writing = false;
  const listeners = new Set<(changed: string) => void>();

  const round = async (batch: readonly Waiting[]) => {
    const before = state;
    const { next, outcomes } = fold(before, batch, start.log);
    await files.write(before, next);
    state = next;
    for (const changed of changesBetween(before, next))
      for (const listener of listeners) listener(changed);
    for (const [i, { outcome }] of batch.entries()) outcome.resolve(outcomes[i] ?? 'stale');
  };

  const work = async () => {
    writing = true;
    for (let batch = waiting; batch.length > 0; batch = waiting) {
      waiting = [];
      await round(batch).catch((cause: unknown) => {
        const error = new LedgerError('the change cannot be taken', { cause });
        for (const { outcome } of batch) outcome.reject(error);
      });
    }
    writing = false;
  };

  return {
    pods: () => state.pods,
    network: () => state.network,
    generation: () => state.generation,
    accept(change) {
      const outcome = Promise.withResolvers<'accepted' | 'stale'>();
      waiting.push({ change, outcome });
      if (!writing) void work();
      return outcome.promise;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function fold(start: Assignments, batch: readonly Waiting[], log: Base['log']) {
  let next = start;
  const outcomes = batch.map(({ change }) => {
    const after = nextAssignments(next, change);
    next = after ?? next;
    if (after) return 'accepted' as const;
    const generation = formatGeneration(change.generation);
    log.warn({ component: 'ledger', generation }, 'older assignment refused');
    return 'stale' as const;
  });
  return { next, outcomes };
}

function changesBetween(before: Assignments, after: Assignments): readonly string[] {
  const uids = new Set([...before.pods.keys(), ...after.pods.keys()]);
  const changed = [...uids].filter((uid) => before.pods.get(uid) !== after.pods.get(uid));
  return before.network === after.network ? changed : [...changed, 'network'];
}

type LedgerFiles = ReturnType<typeof ledgerFiles>;

function ledgerFiles({ dir, key, rng, log }: DiskLedgerOptions) {
  const codec = assignmentCodec(key, rng);
  const podsDir = join(dir, 'pods');
  const networkPath = join(dir, 'network.json');
  const podPath = (uid: string) => join(podsDir, `${uid}.json`);
  const writePod = (uid: string, pod: PodAssignment | undefined) =>
    pod
      ? durable.replaceFile({ path: podPath(uid), bytes: codec.encodePod(pod), mode: 0o600 })
      : durable.removeFile(podPath(uid));
  /** undefined: it isn't there, or can't be read: the controller will say it again. */
  const readFrom = async <T>(path: string, parse: (text: string) => T, complaint: string) => {
    try {
      const text = await durable.readIfPresent(readFile(path, 'utf8'));
      return text === undefined ? undefined : parse(text);
    } catch (err) {
      log.error({ err, component: 'ledger', path }, complaint);
      return undefined;
    }
  };
  const readPod = (name: string) =>
    readFrom(join(podsDir, name), codec.decodePod, 'unreadable assignment left out');
  const readNetwork = () =>
    readFrom(networkPath, parseNetwork, 'unreadable network table left out');
  return {
    podsDir,
    async read(): Promise<Assignments> {
      const names = await readdir(podsDir);
      for (const name of names.filter((each) => each.endsWith(durable.unfinished)))
        await durable.removeFile(join(podsDir, name));
      const written = names.filter((name) => name.endsWith('.json'));
      const pods = await Promise.all(written.map(readPod));
      return assembled(
        pods.filter((pod) => pod !== undefined),
        await readNetwork(),
      );
    },
    /** Only what differs; on disk when resolved. */
    async write(before: Assignments, after: Assignments): Promise<void> {
      const changed = changesBetween(before, after);
      const uids = changed.filter((uid) => uid !== 'network');
      await Promise.all(uids.map((uid) => writePod(uid, after.pods.get(uid))));
      if (uids.length > 0) await durable.syncDirectory(podsDir);
      if (!changed.includes('network') && !isNewEpoch(before, after)) return;
      if (!after.network || !after.generation) return;
      const file: NetworkFile = { generation: after.generation, network: after.network };
      await durable.replaceFile({ path: networkPath, bytes: JSON.stringify(file), mode: 0o600 });
      await durable.syncDirectory(dir);
    },
  };
}

const parseNetwork = (text: string) => JSON.parse(text) as NetworkFile;

/** The fence has to outlive a restart, even if the new leader changed nothing. */
const isNewEpoch = (before: Assignments, after: Assignments) =>
  before.generation?.epoch !== after.generation?.epoch;

function assembled(pods: readonly PodAssignment[], file: NetworkFile | undefined): Assignments {
  const firstIds = pods.flatMap(({ userNamespace }) => userNamespace?.firstId ?? []);
  return {
    ...noAssignments,
    pods: new Map(pods.map((pod) => [pod.uid, pod])),
    network: file?.network,
    generation: newest([...pods.map((p) => p.generation), ...(file ? [file.generation] : [])]),
    lastFirstId: firstIds.length > 0 ? Math.max(...firstIds) : undefined,
  };
}

const newest = (generations: readonly Generation[]): Generation | undefined =>
  generations.toSorted(compareGenerations).at(-1);
