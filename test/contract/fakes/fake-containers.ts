import type { Container, ContainerId, ContainerPort, ContainerSpec } from '../../../agent/ports.ts';
import { ContainerError } from '../../../agent/runtime/container-error.ts';
import type { Clock } from '../../../base/clock.ts';
import { type ScriptedExec, scriptedExec } from '../../support/scripted-exec.ts';
import { type FakeExec, fakeExecSession } from './fake-exec-session.ts';
import type { FakeSandboxes } from './fake-sandboxes.ts';

/**
 * Containers in memory. A container runs until it is killed or told to exit, unless its command says otherwise:
 * `exit N` ends at once with that code, `missing` can't be started. Who attaches sees what the clients type; a
 * container whose input is open `once` ends with it.
 */
export interface FakeContainers extends ContainerPort {
  /** Of everything started and not removed, by `fakeContainerKey`. */
  readonly specs: ReadonlyMap<string, ContainerSpec>;
  /** It ends by itself. */
  exit(id: ContainerId, exitCode: number, oomKilled?: boolean): void;
  /** What `exec` answers from now on; otherwise it prints its command and exits with 0. */
  answerExec(answer: (command: readonly string[]) => FakeExec): void;
  /** SIGTERM has no effect on this one, as on a process that ignores it. */
  ignoreTerm(id: ContainerId): void;
  /** Not even SIGKILL has an effect yet, as on a process that waits for a disk. */
  ignoreKill(id: ContainerId): void;
}

export const fakeContainerKey = ({ uid, name, attempt }: ContainerId) =>
  `${uid}/${name}/${attempt}`;

export function fakeContainers(sandboxes: FakeSandboxes, clock: Clock): FakeContainers {
  const specs = new Map<string, ContainerSpec>();
  const states = new Map<string, Container>();
  const stubborn = new Set<string>();
  const stuck = new Set<string>();
  const attached = new Map<ScriptedExec, string>();
  const listeners: ((uid: string) => void)[] = [];
  let nextPid = 100;
  let execAnswer = (command: readonly string[]): FakeExec => ({
    stdout: `${command.join(' ')}\n`,
    exitCode: 0,
  });

  const changed = (uid: string) => {
    for (const listener of listeners) listener(uid);
  };
  const ofPod = (uid: string) => [...states].filter(([, container]) => container.id.uid === uid);
  const end = (id: ContainerId, exit: { exitCode: number; signal?: number; oom?: boolean }) => {
    const container = states.get(fakeContainerKey(id));
    if (container?.state !== 'running') return;
    states.set(fakeContainerKey(id), {
      ...container,
      state: 'exited',
      exit: {
        exitCode: exit.exitCode,
        signal: exit.signal,
        finishedAtMs: clock.now(),
        oomKilled: exit.oom ?? false,
        message: undefined,
      },
    });
    for (const client of clientsOf(fakeContainerKey(id))) client.exit(exit.exitCode);
    for (const beside of specs.values())
      if (beside.besides && fakeContainerKey(beside.besides) === fakeContainerKey(id))
        end(beside.id, { exitCode: 137, signal: 9 });
    changed(id.uid);
  };

  const clientsOf = (key: string) =>
    [...attached].filter(([, of]) => of === key).map(([client]) => client);
  const mustRun = (id: ContainerId) => {
    if (states.get(fakeContainerKey(id))?.state !== 'running')
      throw new ContainerError('RunContainerError', `container ${id.name} is not running`);
  };

  sandboxes.onGone((uid, how) => {
    for (const [key, container] of ofPod(uid)) {
      if (how === 'lost' && container.state === 'running') {
        states.set(key, { ...container, state: 'lost' });
        for (const client of clientsOf(key)) client.fail(new Error('the shim hung up'));
      }
      if (how === 'removed') {
        states.delete(key);
        specs.delete(key);
      }
    }
    changed(uid);
  });

  return {
    specs,
    async start(spec, signal) {
      signal.throwIfAborted();
      const key = fakeContainerKey(spec.id);
      if (states.has(key)) return;
      const sandbox = (await sandboxes.list()).find((s) => s.uid === spec.id.uid);
      if (sandbox?.state !== 'ready')
        throw new ContainerError('RunContainerError', `pod ${spec.id.uid} has no sandbox`);
      const [program, argument] = spec.command ?? [];
      if (program === 'missing')
        throw new ContainerError(
          'StartError',
          'exec: "missing": executable file not found in $PATH',
        );
      if (spec.besides) mustRun(spec.besides);
      specs.set(key, spec);
      states.set(key, {
        id: spec.id,
        state: 'running',
        pid: nextPid++,
        startedAtMs: clock.now(),
        exit: undefined,
      });
      changed(spec.id.uid);
      if (program === 'exit') end(spec.id, { exitCode: Number(argument) });
    },
    async kill(id, signal) {
      if (stuck.has(fakeContainerKey(id))) return;
      if (signal === 15 && stubborn.has(fakeContainerKey(id))) return;
      end(id, { exitCode: 128 + signal, signal });
    },
    list: async (uid) => ofPod(uid).map(([, container]) => container),
    async remove(id) {
      const key = fakeContainerKey(id);
      if (states.get(key)?.state === 'running')
        throw new ContainerError('RunContainerError', `container ${id.name} is running`);
      states.delete(key);
      specs.delete(key);
      stubborn.delete(key);
    },
    async exec(id, request) {
      mustRun(id);
      return fakeExecSession(execAnswer(request.command));
    },
    async attach(id, stdin) {
      const key = fakeContainerKey(id);
      mustRun(id);
      const client = scriptedExec();
      attached.set(client, key);
      return {
        ...client.session,
        write(chunk) {
          if (stdin) for (const each of clientsOf(key)) each.print('stdout', Buffer.from(chunk));
          return true;
        },
        endInput: () => void (specs.get(key)?.stdin === 'once' && end(id, { exitCode: 0 })),
        close: () => void attached.delete(client),
      };
    },
    onChange: (listener) => void listeners.push(listener),
    exit: (id, exitCode, oomKilled) => end(id, { exitCode, oom: oomKilled ?? false }),
    answerExec: (answer) => void (execAnswer = answer),
    ignoreTerm: (id) => void stubborn.add(fakeContainerKey(id)),
    ignoreKill: (id) => void stuck.add(fakeContainerKey(id)),
  };
}
