import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ifPresent } from '../../base/durable-file.ts';
import { parseJson } from '../../base/json-text.ts';
import type { OciSpec } from '../oci/oci-spec.ts';
import type { SandboxSpec } from '../ports.ts';
import { type PodPaths, podPaths, type RuntimeDirectories } from './pod-paths.ts';

type SandboxIdentity = Pick<
  SandboxSpec,
  'uid' | 'namespace' | 'name' | 'hostname' | 'hostNetwork' | 'userNamespace'
>;

/** What an agent must know of a sandbox that an earlier one made. */
export interface SandboxRecord extends SandboxIdentity {
  /** Program of the runtime under which its containers run; undefined: orc itself. */
  readonly runtime?: string | undefined;
  /** False while it is being made: an agent that died in between goes on from there. */
  readonly complete: boolean;
}

/** What is needed to run a further process in a container, and to miss it when its shim is gone. */
export interface ContainerRecord {
  readonly startedAtMs: number;
  /** Image.id: as long as this record is there its layers are in use. */
  readonly imageId: string;
  readonly logPath: string;
  readonly spec: OciSpec;
}

export function writeSandboxRecord(paths: PodPaths, of: Omit<SandboxRecord, 'complete'>): void {
  const { uid, namespace, name, hostname, hostNetwork, userNamespace, runtime } = of;
  const own = { uid, namespace, name, hostname, hostNetwork, userNamespace, runtime };
  rmSync(`${paths.record}.complete`, { force: true });
  writeRecord(paths.record, { ...own, complete: false });
}

/** An empty file beside it: ext4 flushes a file that takes another's place, a new one that holds nothing it doesn't. */
export const completeSandbox = (paths: PodPaths) => writeFileSync(`${paths.record}.complete`, '');

/** undefined: no such sandbox, or not more than its directory. */
export function readSandboxRecord(paths: PodPaths): SandboxRecord | undefined {
  const record = readRecord<SandboxRecord>(paths.record);
  if (record === undefined) return undefined;
  return { ...record, complete: record.complete || existsSync(`${paths.record}.complete`) };
}

/** Uids of every sandbox that has left something on this host. */
export const recordedSandboxes = (dirs: RuntimeDirectories) => namesIn(join(dirs.dataDir, 'pods'));

export const writeContainerRecord = (directory: string, record: ContainerRecord): void =>
  writeRecord(join(directory, 'container.json'), record);

export const readContainerRecord = (directory: string): ContainerRecord | undefined =>
  readRecord<ContainerRecord>(join(directory, 'container.json'));

/** Names of a pod's container directories. */
export const recordedContainers = (dirs: RuntimeDirectories, uid: string): readonly string[] =>
  namesIn(podPaths(dirs, uid).containers);

const namesIn = (directory: string) => ifPresent(() => readdirSync(directory)) ?? [];

/** Old or new for whoever reads it. Not synced: what it tells of is gone as well after a crash of the host. */
function writeRecord(path: string, record: SandboxRecord | ContainerRecord): void {
  const temporary = `${path}.new`;
  writeFileSync(temporary, JSON.stringify(record), { mode: 0o600 });
  renameSync(temporary, path);
}

/** What a crash of the host has left half written is as good as absent. */
function readRecord<T>(path: string): T | undefined {
  const text = ifPresent(() => readFileSync(path, 'utf8')) ?? '';
  return parseJson(text) as T | undefined;
}
