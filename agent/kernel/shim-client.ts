import { open } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { constants } from 'node:os';
import { frameType, limits, recordFlag } from '../../native/generated/binding.ts';
import { startExec } from './exec-session.ts';
import * as frames from './frames.ts';
import type { Op, OpFailure } from './op.ts';
import { OpError, opError } from './op-error.ts';
import { namespaceMask, type WireRecord } from './op-fields.ts';
import { encodeList } from './op-list.ts';
import type { ExecRequest, ExecSession, ShimContainer, StartRequest } from './shim.ts';

/** Why a shim can't be spoken to: gone while something was asked, or from before {@link OLDEST_PROTOCOL}. */
export class ShimLost extends Error {
  override readonly name = 'ShimLost';
}

/**
 * A shim outlives its agent, so this one may be older or newer. From OLDEST_PROTOCOL on every agent can list, signal,
 * forget, attach to and end any shim's containers; a list of operations is refused by a shim that doesn't know all of it.
 */
const OLDEST_PROTOCOL = 2;

/** The shim that listens in `runDir`; undefined when nobody is there. Throws ShimLost. */
export async function connectShim(runDir: string): Promise<Shim | undefined> {
  const socket = await connectSocket(runDir);
  if (socket === undefined) return undefined;
  const shim = new Shim(socket, runDir);
  const { version, operations, pid } = await shim.hello.promise;
  if (version < OLDEST_PROTOCOL) {
    shim.disconnect();
    throw new ShimLost(`the shim speaks protocol ${version}, not ${limits.PROTOCOL}`);
  }
  shim.pid = pid;
  shim.operations = version > OLDEST_PROTOCOL ? operations : -1;
  return shim;
}

interface Ask {
  readonly type: number;
  readonly request: string;
  readonly args?: WireRecord;
  readonly ops?: readonly Op[];
  /** When the list waits in `sync`; what it throws is the request's error once `giveUp` has ended it. */
  readonly onSync?: (pid: number) => Promise<void>;
  readonly giveUp?: () => Promise<void>;
}

interface Question extends Ask {
  readonly answer: PromiseWithResolvers<Buffer>;
}

type Started =
  | 'owner'
  | 'terminalSize'
  | 'namespaces'
  | 'cgroup2Dir'
  | 'listener'
  | 'onSync'
  | 'ops';

/** One control connection, to a shim or a front: questions by tag, exits as they come. */
export class ShimLink {
  readonly socket: Socket;
  readonly hello = Promise.withResolvers<frames.Hello>();
  /** Of a front: what it was called with. */
  readonly call = Promise.withResolvers<Buffer>();
  readonly #exitListeners: ((exit: ShimContainer) => void)[] = [];
  readonly #lostListeners: (() => void)[] = [];
  readonly #questions = new Map<number, Question>();
  #lastTag = 0;
  #closed: 'no' | 'by us' | 'lost' = 'no';
  /** ORC_OPERATIONS of the shim; -1 for protocol 2, whose lists are no longer written. */
  operations = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    this.call.promise.catch(() => undefined);
    frames.readFrames(socket, (frame) => this.#receive(frame));
    socket.on('error', (error) => this.#lose(error));
    socket.on('close', () => this.#lose(undefined));
  }

  /** Runs a list in a short-lived child in the shim's mount namespace (mounts made there stay). Throws OpError. */
  async run(ops: readonly Op[]): Promise<void> {
    await this.ask({ type: frameType.RUN, request: 'run', ops });
  }

  /** Sends a signal to a container's first process. Unknown or ended: no effect. */
  kill(container: string, signal: number): Promise<void> {
    return this.tell('KILL', container, [signal]);
  }

  /** Forgets an ended container. */
  forget(container: string): Promise<void> {
    return this.tell('FORGET', container);
  }

  /** Called once for each exit from now on, and when the shim itself is lost. */
  onExit(listener: (exit: ShimContainer) => void): void {
    this.#exitListeners.push(listener);
  }

  onLost(listener: () => void): void {
    this.#lostListeners.push(listener);
  }

  /** Lets go of the connection; the shim and its containers go on. */
  disconnect(): void {
    this.hangingUp();
    this.socket.destroy();
  }

  /** Its end is expected from now on. */
  protected hangingUp(): void {
    if (this.#closed === 'no') this.#closed = 'by us';
  }

  protected ask(asked: Ask): Promise<Buffer> {
    if (this.socket.destroyed) throw new ShimLost(`${asked.request}: the shim is gone`);
    const answer = Promise.withResolvers<Buffer>();
    const frame = this.encode(++this.#lastTag, asked);
    this.#questions.set(this.#lastTag, { ...asked, answer });
    this.socket.write(frame);
    return answer.promise;
  }

  protected async tell(
    what: 'KILL' | 'FORGET' | 'CONTINUE',
    container: string,
    num: number[] = [],
  ) {
    const request = `${what.toLowerCase()} ${container}`;
    await this.ask({ type: frameType[what], request, args: { num, text: [container] } });
  }

  /** A container's first process. `last`, `path` and the rest of `own`: what a shim and a front have each their way. */
  protected async startFirst(
    container: string,
    request: Pick<StartRequest, Started>,
    own: { readonly last: number; readonly path: string; readonly flags: number; wide?: bigint[] },
  ): Promise<{ readonly pid: number }> {
    const { owner = 0, terminalSize = { columns: 80, rows: 24 }, ops, onSync } = request;
    const { last, path, flags, wide = [] } = own;
    const spaces = namespaceMask(request.namespaces ?? ['mount', 'pid']);
    const num = [owner, terminalSize.columns, terminalSize.rows, last, spaces];
    const text = [container, request.cgroup2Dir ?? '', path, ...listenerOf(request)];
    const answer = await this.ask({
      ...{ type: frameType.START, request: `start ${container}`, ops },
      args: { flags, num, wide, text },
      ...this.goingOn(container, onSync),
    });
    return { pid: frames.decodeStates(answer)[0]!.pid };
  }

  /** What a question does when its list waits in `sync`. */
  protected goingOn(container: string, onSync: StartRequest['onSync']) {
    return {
      onSync: async (pid: number) => {
        await onSync?.({ pid });
        await this.tell('CONTINUE', container);
      },
      giveUp: () => this.kill(container, constants.signals.SIGKILL),
    };
  }

  protected encode(tag: number, asked: Ask): Buffer {
    const { type, args = {}, ops } = asked;
    const refused = { index: -1, stage: 'decode', errno: constants.errno.EINVAL };
    if (ops !== undefined && this.operations < 0) throw this.inWords(asked, refused);
    return frames.encodeFrame(type, tag, encodeList(args, ops ?? []));
  }

  /** What a shim doesn't know it refuses before it does anything, so its containers are as they were. */
  protected inWords({ request, ops }: Ask, failure: OpFailure): OpError {
    const unknown = failure.stage === 'decode' && this.operations < limits.OPERATIONS;
    const why = 'this pod runs under an earlier version of orc, which can’t; a new pod can';
    return unknown
      ? new OpError(`${request}: ${why}`, failure)
      : opError(request, ops ?? [], failure);
  }

  #receive({ type, tag, payload }: frames.Frame): void {
    const question = this.#questions.get(tag);
    if (type !== frameType.SYNC) this.#questions.delete(tag);
    if (type === frameType.HELLO) this.hello.resolve(frames.decodeHello(payload));
    else if (type === frameType.CALL) this.call.resolve(payload);
    else if (type === frameType.EXITED)
      for (const listener of this.#exitListeners) listener(frames.decodeStates(payload)[0]!);
    else if (type === frameType.SYNC && question)
      this.#synchronize(tag, question, frames.decodeStates(payload)[0]!.pid);
    else if (type === frameType.DONE) question?.answer.resolve(payload);
    else if (type === frameType.FAILED)
      question?.answer.reject(this.inWords(question, frames.decodeFailure(payload)));
  }

  /** The failure that the shim tells in the end is only that of the killed process. */
  #synchronize(tag: number, question: Question, pid: number): void {
    question
      .onSync?.(pid)
      .catch((error: unknown) => {
        const answer = Promise.withResolvers<Buffer>();
        answer.promise.catch(() => question.answer.reject(error));
        this.#questions.set(tag, { ...question, answer });
        return question.giveUp?.();
      })
      .catch(question.answer.reject);
  }

  #lose(cause: unknown): void {
    const error = new ShimLost('the shim is gone', { cause });
    this.hello.reject(error);
    this.call.reject(error);
    for (const { request, answer } of this.#questions.values())
      answer.reject(new ShimLost(`${request}: the shim is gone`, { cause }));
    this.#questions.clear();
    if (this.#closed !== 'no') return;
    this.#closed = 'lost';
    for (const listener of this.#lostListeners) listener();
  }
}

const listenerOf = ({ listener }: Pick<ExecRequest, 'listener'>): readonly Uint8Array[] =>
  listener ? [Buffer.from(`${listener.path}\0${listener.message}`)] : [];

/**
 * The agent's view of one pod's shim: the C process that holds the pod's namespaces and mounts, is the parent of its
 * containers, writes their logs and outlives the agent. Everything here is served over RUN_DIR/shim.sock, so a
 * restarted agent gets the same view with {@link connectShim}.
 */
export class Shim extends ShimLink {
  readonly #runDir: string;
  pid = 0;

  constructor(socket: Socket, runDir: string) {
    super(socket);
    this.#runDir = runDir;
  }

  /** Clones a container's first process, runs the list in it up to `exec`. Throws OpError; then nothing is left. */
  start(request: StartRequest): Promise<{ readonly pid: number }> {
    const { container, terminal, stdin, logPath: path, logMaxFiles: last } = request;
    const own = { path, last, wide: [BigInt(request.logMaxBytes)] };
    return this.startFirst(container, request, { ...own, flags: streamFlags(terminal, stdin) });
  }

  /** Every container that was started here and not forgotten, ended ones included. */
  async list(): Promise<readonly ShimContainer[]> {
    return frames.decodeStates(
      await this.ask({ type: frameType.LIST, request: 'list containers' }),
    );
  }

  /** A process beside a container's first one, or for the sandbox. One connection of its own. */
  exec(request: ExecRequest): Promise<ExecSession> {
    const { container, ops, terminal, stdin } = request;
    const args: WireRecord = {
      flags: streamFlags(terminal !== undefined, stdin ? 'open' : 'none'),
      num: [request.owner ?? 0, terminal?.columns ?? 0, terminal?.rows ?? 0],
      text: [container, request.cgroup2Dir ?? '', '', ...listenerOf(request)],
    };
    return this.#open({ type: frameType.EXEC, request: `exec in ${container}`, args, ops });
  }

  /** A container's first process: its output from now on. Closing lets go of it; who reads too slowly is dropped. */
  attach(container: string, stdin: boolean): Promise<ExecSession> {
    const args = { flags: streamFlags(false, stdin ? 'open' : 'none'), text: [container] };
    return this.#open({ type: frameType.ATTACH, request: `attach to ${container}`, args });
  }

  /** Kills every container, unmounts, lets go of the namespaces, ends the shim. */
  async shutdown(): Promise<void> {
    this.hangingUp();
    await this.ask({ type: frameType.SHUTDOWN, request: 'shut down' });
    this.disconnect();
  }

  async #open(asked: Ask): Promise<ExecSession> {
    const first = this.encode(1, asked);
    const socket = await connectSocket(this.#runDir);
    if (socket === undefined) throw new ShimLost(`${asked.request}: no shim`);
    return startExec(socket, first, (failure) => this.inWords(asked, failure));
  }
}

function streamFlags(terminal: boolean, stdin: StartRequest['stdin']): number {
  const input = stdin === 'none' ? 0 : recordFlag.INPUT;
  const once = stdin === 'once' ? recordFlag.INPUT_ONCE : 0;
  return (terminal ? recordFlag.TERMINAL : 0) | input | once;
}

/** Longest path that fits `sun_path` with its NUL. */
const MAX_SOCKET_PATH_BYTES = 107;

/** A connection to RUN_DIR/shim.sock; undefined when no shim listens there. */
async function connectSocket(runDir: string): Promise<Socket | undefined> {
  const path = `${runDir}/shim.sock`;
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES) return tryConnect(path);
  const dir = await open(runDir).catch(absent);
  if (dir === undefined) return undefined;
  try {
    return await tryConnect(`/proc/self/fd/${dir.fd}/shim.sock`);
  } finally {
    await dir.close();
  }
}

async function tryConnect(path: string): Promise<Socket | undefined> {
  const socket = connect(path);
  const connected = Promise.withResolvers<void>();
  socket.once('connect', connected.resolve);
  socket.once('error', connected.reject);
  try {
    await connected.promise;
    return socket;
  } catch (error) {
    return absent(error);
  } finally {
    socket.off('error', connected.reject);
  }
}

function absent(error: unknown): undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined;
  throw error;
}
