import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfPresent } from '../../base/durable-file.ts';
import type { OciSpec } from '../oci/oci-spec.ts';
import type { UserNamespaceRange } from '../ports.ts';
import { type PodPaths, podPaths, type RuntimeDirectories } from './pod-paths.ts';

/** What an agent must know of a sandbox that an earlier one made. */
export interface SandboxRecord {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly hostname: string;
  readonly hostNetwork: boolean;
  readonly userNamespace: UserNamespaceRange | undefined;
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

export function writeSandboxRecord(paths: PodPaths, record: SandboxRecord): Promise<void> {
  return writeRecord(paths.record, record);
}

/** undefined: no such sandbox, or not more than its directory. */
export async function readSandboxRecord(paths: PodPaths): Promise<SandboxRecord | undefined> {
  return readRecord<SandboxRecord>(paths.record);
}

/** Uids of every sandbox that has left something on this host. */
export async function recordedSandboxes(dirs: RuntimeDirectories): Promise<readonly string[]> {
  return namesIn(join(dirs.dataDir, 'pods'));
}

export function writeContainerRecord(directory: string, record: ContainerRecord): Promise<void> {
  return writeRecord(join(directory, 'container.json'), record);
}

export function readContainerRecord(directory: string): Promise<ContainerRecord | undefined> {
  return readRecord<ContainerRecord>(join(directory, 'container.json'));
}

/** Names of a pod's container directories. */
export function recordedContainers(
  dirs: RuntimeDirectories,
  uid: string,
): Promise<readonly string[]> {
  return namesIn(podPaths(dirs, uid).containers);
}

async function namesIn(directory: string): Promise<readonly string[]> {
  return (await readIfPresent(readdir(directory))) ?? [];
}

/** Old or new for whoever reads it. Not synced: what it tells of is gone as well after a crash of the host. */
async function writeRecord(path: string, record: SandboxRecord | ContainerRecord): Promise<void> {
  const temporary = `${path}.new`;
  await writeFile(temporary, JSON.stringify(record), { mode: 0o600 });
  await rename(temporary, path);
}

/** What a crash of the host has left half written is as good as absent. */
async function readRecord<T>(path: string): Promise<T | undefined> {
  const text = await readIfPresent(readFile(path, 'utf8'));
  try {
    return text === undefined ? undefined : (JSON.parse(text) as T);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
