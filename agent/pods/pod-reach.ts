import type { Pod } from '../../api/pod.ts';
import type { ExecSession } from '../kernel/shim.ts';
import type { Ledger } from '../ledger/assignment.ts';
import type { Container, ContainerId, ContainerPort, SandboxPort } from '../ports.ts';
import {
  type AttachTarget,
  type ExecTarget,
  type LogsTarget,
  type PodSessions,
  type PortTarget,
  SessionError,
} from '../session/session-options.ts';
import { containerNamed } from './container-spec.ts';
import { containerLogPath } from './pod-files.ts';

export interface PodReachOptions {
  readonly ledger: Ledger;
  readonly containers: ContainerPort;
  readonly sandboxes: Pick<SandboxPort, 'dial'>;
  readonly logDir: string;
  readonly readLogs: ReadLogs;
}

type ReadLogs = (
  request: LogRequest,
  signals: { readonly abort: AbortSignal; readonly ended: AbortSignal },
) => Promise<AsyncIterable<Uint8Array> | undefined>;

type LogRequest = Required<Omit<LogsTarget, 'podUid' | 'container' | 'previous'>> & {
  readonly path: string;
};

/** What the API server may reach in this node's pods: a container's process and log, a command in it, a port. */
export function podReach(options: PodReachOptions): PodSessions {
  const ends = containerEnds(options.containers);
  return {
    exec: (target) => exec(target, options),
    attach: (target) => attach(target, options),
    portForward: (target) => portForward(target, options),
    logs: (target, signal) => logs(target, { ...options, ends }, signal),
  };
}

/** Aborts when this attempt no longer runs, or the reader lets go. */
type ContainerEnds = (id: ContainerId, reader: AbortSignal) => Promise<AbortSignal>;

function containerEnds(containers: ContainerPort): ContainerEnds {
  const watched = new Map<AbortController, ContainerId>();
  const check = async (uid: string) => {
    const ofPod = [...watched].filter(([, id]) => id.uid === uid);
    if (ofPod.length === 0) return;
    const all = await containers.list(uid);
    for (const [ended, id] of ofPod) {
      const found = all.find((c) => c.id.name === id.name && c.id.attempt === id.attempt);
      if (found?.state !== 'running') ended.abort();
    }
  };
  containers.onChange((uid) => {
    // A pod that can't be looked at any more has no log to wait for either.
    check(uid).catch(() => {
      for (const [ended, id] of watched) if (id.uid === uid) ended.abort();
    });
  });
  return async (id, reader) => {
    const ended = new AbortController();
    watched.set(ended, id);
    const letGo = () => watched.delete(ended);
    reader.addEventListener('abort', letGo, { once: true });
    ended.signal.addEventListener('abort', letGo, { once: true });
    await check(id.uid);
    return ended.signal;
  };
}

const exec = async (target: ExecTarget, options: PodReachOptions): Promise<ExecSession> =>
  options.containers.exec(running(await find(target, options)), {
    command: target.command,
    stdin: target.stdin,
    terminal: target.tty ? (target.size ?? { columns: 80, rows: 24 }) : undefined,
  });

async function attach(target: AttachTarget, options: PodReachOptions): Promise<ExecSession> {
  const found = await find(target, options);
  const id = running(found);
  if (target.stdin && !found.container.stdin)
    throw new SessionError('BadRequest', `container ${target.container} has no stdin: true`);
  return options.containers.attach(id, target.stdin);
}

async function portForward({ podUid, port }: PortTarget, { sandboxes }: PodReachOptions) {
  const session = await sandboxes.dial(podUid, port).catch((cause: unknown) => {
    throw new SessionError('BadRequest', 'the pod is not running', { cause });
  });
  const exited = session.exited.catch((cause: unknown) => {
    const refused =
      cause instanceof Error && 'reason' in cause && cause.reason === 'ConnectionRefused';
    throw refused ? new SessionError('BadRequest', cause.message) : cause;
  });
  exited.catch(() => undefined); // who hangs up may not ask how it ended
  return { ...session, exited };
}

async function logs(
  target: LogsTarget,
  options: PodReachOptions & { readonly ends: ContainerEnds },
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const { pod, newest } = await find(target, options);
  const attempt = newest === undefined ? -1 : newest.id.attempt - (target.previous ? 1 : 0);
  if (attempt < 0) throw new SessionError('BadRequest', noLog(target, pod, newest));
  const id = { uid: target.podUid, name: target.container, attempt };
  const path = containerLogPath(options.logDir, pod.metadata, id);
  const { timestamps, tailLines, sinceMs, limitBytes, follow } = target;
  const chunks = await options.readLogs(
    { path, timestamps, tailLines, sinceMs, limitBytes, follow },
    { abort: signal, ended: await options.ends(id, signal) },
  );
  if (!chunks) throw new SessionError('NotFound', noLog(target, pod, newest));
  return chunks;
}

function noLog({ container, previous }: LogsTarget, { metadata }: Pod, newest?: Container): string {
  const which = `container "${container}" in pod "${metadata.name}"`;
  return newest && previous
    ? `previous terminated ${which} not found`
    : `${which} is waiting to start`;
}

type Found = Awaited<ReturnType<typeof find>>;

async function find(
  { podUid, container: name }: { readonly podUid: string; readonly container: string },
  { ledger, containers }: PodReachOptions,
) {
  const pod = ledger.pods().get(podUid)?.pod;
  if (!pod) throw new SessionError('NotFound', 'the pod is not on this node');
  const container = containerNamed(pod, name);
  if (!container)
    throw new SessionError('BadRequest', `container ${name} is not valid for this pod`);
  const attempts = (await containers.list(podUid)).filter(({ id }) => id.name === name);
  const [newest] = attempts.toSorted((a, b) => b.id.attempt - a.id.attempt);
  return { pod, container, newest };
}

function running({ container, newest }: Found): ContainerId {
  if (newest?.state === 'running') return newest.id;
  throw new SessionError('BadRequest', `container ${container.name} is not running`);
}
