import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ifPresent } from '../../base/durable-file.ts';
import type { CgroupDirectory } from '../kernel/cgroup-trees.ts';
import { type OciResources, type OciSpec, parseOciSpec } from '../oci/oci-spec.ts';
import { CommandError } from './call.ts';

/** What is kept of a container in ROOT/ID/state.json; config.json, as it was followed at its creation, is beside it. */
export interface ContainerRecord {
  readonly id: string;
  /** Until the process waits for its start. */
  readonly creating?: boolean;
  /** Of the first process; 0: not made yet. */
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: a pid may come again. */
  readonly startTicks: number;
  readonly bundle: string;
  readonly created: string;
  readonly owner: string;
  /** Its groups, by controller. */
  readonly cgroups: readonly CgroupDirectory[];
}

export type Status = 'creating' | 'created' | 'running' | 'paused' | 'stopped';

/** A container's directory, and what is in it. */
export type Stored = Readonly<{ directory: string; record: ContainerRecord; spec: OciSpec }>;

/** Its name is a directory's. Throws CommandError. */
export function directoryOf(root: string, id: string): string {
  if (!/^[\w+-][\w+.-]{0,1023}$/.test(id))
    throw new CommandError(`invalid character in container ID "${id}"`);
  return join(root, id);
}

/** Throws CommandError if there is one already. */
export function claim(root: string, id: string): string {
  const directory = directoryOf(root, id);
  mkdirSync(root, { recursive: true, mode: 0o711 });
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new CommandError(`container with id exists: ${id}`);
  }
  return directory;
}

export function saveRecord(directory: string, record: ContainerRecord): void {
  writeFileSync(join(directory, 'state.json.new'), JSON.stringify(record), { mode: 0o600 });
  renameSync(join(directory, 'state.json.new'), join(directory, 'state.json'));
}

declare global {
  interface JSON {
    /** ECMAScript 2026. */
    rawJSON(text: string): unknown;
  }
}

/** Numbers may be above what JavaScript's can hold. */
const asWritten = (_: string, value: unknown) =>
  typeof value === 'bigint' ? JSON.rawJSON(String(value)) : value;

export const saveConfig = (directory: string, spec: OciSpec): void =>
  writeFileSync(join(directory, 'config.json'), JSON.stringify(spec, asWritten), { mode: 0o600 });

/** Those that were changed take the place of the configuration's. */
export function saveResources({ directory, spec }: Stored, resources: OciResources): void {
  const before = spec.linux?.resources ?? {};
  const merged = Object.entries(resources).map(([group, values]) => {
    const own = before[group as keyof OciResources];
    const isList = Array.isArray(values) || Array.isArray(own);
    return [group, isList ? values : Object.assign({}, own, values)] as const;
  });
  const linux = { ...spec.linux, resources: { ...before, ...Object.fromEntries(merged) } };
  saveConfig(directory, { ...spec, linux });
}

/** undefined: there is none. */
export function load(root: string, id: string): Stored | undefined {
  const directory = directoryOf(root, id);
  const read = (name: string) => ifPresent(() => readFileSync(join(directory, name), 'utf8'));
  const [state, config] = [read('state.json'), read('config.json')];
  if (state === undefined || config === undefined) return undefined;
  return { directory, record: JSON.parse(state) as ContainerRecord, spec: parseOciSpec(config) };
}

/** Throws CommandError. */
export function find(root: string, id: string): Stored {
  const found = load(root, id);
  if (!found || found.record.pid === 0) throw new CommandError(`container "${id}" does not exist`);
  return found;
}

export const ids = (root: string): readonly string[] => ifPresent(() => readdirSync(root)) ?? [];

export const forget = ({ directory }: Pick<Stored, 'directory'>): void =>
  rmSync(directory, { recursive: true, force: true });

export const isWaiting = ({ directory }: Stored): boolean =>
  ifPresent(() => readdirSync(directory))?.includes('gate') ?? false;

/** No longer. */
export const leaveGate = ({ directory }: Stored): void =>
  rmSync(join(directory, 'gate'), { force: true });

/** Whether its first process lives; a zombie doesn't. */
export function isAlive({ record: { pid, startTicks } }: Stored): boolean {
  const now = pid > 0 ? processState(pid) : undefined;
  return now !== undefined && now.startTicks === startTicks && !/[ZX]/.test(now.letter);
}

/** undefined: no such process. proc_pid_stat(5). */
export function processState(pid: number) {
  const stat = ifPresent(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields && { letter: fields[0] ?? '', startTicks: Number(fields[19]) };
}
