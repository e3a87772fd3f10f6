import type { PodAssignment } from '../../agent/ledger/assignment.ts';
import type { Container, Image } from '../../agent/ports.ts';
import { Pod } from '../../api/pod.ts';
import { parseObject } from '../../api/prepare.ts';

type Json = Readonly<Record<string, unknown>>;

const existing: typeof Pod = { ...Pod, validateNew: () => [] };

/** A valid, defaulted, stored pod "web" of these spec fields; one container "web" unless they say otherwise. */
export function aPod(spec: Json = {}, metadata: Json = {}): Pod {
  // Also as it is later: with what only an update may bring.
  const parsed = parseObject(existing, {
    metadata: { name: 'web', namespace: 'default' },
    spec: { containers: [{ name: 'web', image: 'web:1' }], nodeName: 'host1', ...spec },
  });
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  const { object } = parsed;
  const stored = { uid: 'uid-1', resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' };
  return { ...object, metadata: { ...object.metadata, name: 'web', ...stored, ...metadata } };
}

export function anAssignment(spec: Json = {}, metadata: Json = {}): PodAssignment {
  return {
    uid: 'uid-1',
    generation: { epoch: 1, revision: 1 },
    pod: aPod(spec, metadata),
    configMaps: new Map(),
    secrets: new Map(),
    runtimeHandler: '',
    userNamespace: { firstId: 1_000_000, size: 65_536 },
  };
}

export const webImage: Image = {
  id: 'sha256:aa',
  digest: 'sha256:bb',
  references: ['web:1'],
  sizeBytes: 1000,
  layers: ['/layers/1'],
  config: {
    entrypoint: ['/web'],
    cmd: [],
    env: [],
    workingDir: '/',
    user: '',
    volumes: [],
    stopSignal: undefined,
  },
};

export function running(name: string, attempt: number, startedAtMs = 0): Container {
  return {
    id: { uid: 'uid-1', name, attempt },
    state: 'running',
    pid: 42,
    startedAtMs,
    exit: undefined,
  };
}

export function exited(
  name: string,
  attempt: number,
  exit: { exitCode: number; at: number; startedAt?: number; oomKilled?: boolean; message?: string },
): Container {
  return {
    ...running(name, attempt, exit.startedAt ?? exit.at),
    state: 'exited',
    exit: {
      exitCode: exit.exitCode,
      signal: undefined,
      finishedAtMs: exit.at,
      oomKilled: exit.oomKilled ?? false,
      message: exit.message,
    },
  };
}
