import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { type Deferred, deferred } from '../../base/deadline.ts';
import { frameType, limits, recordFlag } from '../../native/generated/binding.ts';
import { startExec } from './exec-session.ts';
import {
  decodeFailure,
  decodeHello,
  decodeStates,
  encodeFrame,
  type Frame,
  type Hello,
  readFrames,
} from './frames.ts';
import type { Op, OpFailure } from './op.ts';
import { OpError, opError } from './op-error.ts';
import { namespaceMask, type WireRecord } from './op-fields.ts';
import { encodeList } from './op-list.ts';
import type { ExecRequest, ExecSession, Shim, ShimContainer, StartRequest } from './shim.ts';
import { connectSocket } from './shim-socket.ts';

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
  return socket && openShim(socket, runDir);
}

interface Question extends Ask {
  readonly answer: Deferred<Buffer>;
}

/** One control connection: questions by tag, exits as they come. */
export interface Client {
  readonly socket: Socket;
  readonly runDir: string;
  readonly hello: Deferred<Hello>;
  /** Of a front: what it was called with. */
  readonly call: Deferred<Buffer>;
  readonly questions: Map<number, Question>;
  readonly exitListeners: ((exit: ShimContainer) => void)[];
  readonly lostListeners: (() => void)[];
  lastTag: number;
  closed: 'no' | 'by us' | 'lost';
  /** ORC_OPERATIONS of the shim; -1 for protocol 2, whose lists are no longer written. */
  operations: number;
}

export function clientOn(socket: Socket, runDir = ''): Client {
  const client: Client = {
    socket,
    runDir,
    hello: deferred(),
    call: deferred(),
    questions: new Map(),
    exitListeners: [],
    lostListeners: [],
    lastTag: 0,
    closed: 'no',
    operations: 0,
  };
  client.call.promise.catch(() => undefined);
  listen(client);
  return client;
}

async function openShim(socket: Socket, runDir: string): Promise<Shim> {
  const client = clientOn(socket, runDir);
  const hello = await client.hello.promise;
  if (hello.version < OLDEST_PROTOCOL) {
    disconnect(client);
    throw new ShimLost(`the shim speaks protocol ${hello.version}, not ${limits.PROTOCOL}`);
  }
  client.operations = hello.version > OLDEST_PROTOCOL ? hello.operations : -1;
  return shimOf(client, hello);
}

function shimOf(client: Client, hello: Hello): Shim {
  return {
    pid: hello.pid,
    run: async (ops) => {
      await ask(client, { type: frameType.RUN, request: 'run', args: {}, ops });
    },
    start: (request) => start(client, request),
    kill: (container, signal) => tell(client, 'KILL', { container, num: [signal] }),
    list: async () => {
      const request = { type: frameType.LIST, request: 'list containers', args: {} };
      return decodeStates(await ask(client, request));
    },
    forget: (container) => tell(client, 'FORGET', { container }),
    onExit: (listener) => client.exitListeners.push(listener),
    onLost: (listener) => client.lostListeners.push(listener),
    exec: (request) => openExec(client, request),
    attach: (container, stdin) => attach(client, container, stdin),
    shutdown: async () => {
      client.closed = 'by us';
      await ask(client, { type: frameType.SHUTDOWN, request: 'shut down', args: {} });
      disconnect(client);
    },
    disconnect: () => disconnect(client),
  };
}

export async function tell(
  client: Client,
  what: 'KILL' | 'FORGET' | 'CONTINUE',
  { container, num = [] }: { readonly container: string; readonly num?: readonly number[] },
): Promise<void> {
  const request = `${what.toLowerCase()} ${container}`;
  await ask(client, { type: frameType[what], request, args: { num, text: [container] } });
}

async function start(client: Client, request: StartRequest): Promise<{ readonly pid: number }> {
  const { container, terminalSize = { columns: 80, rows: 24 } } = request;
  const answer = await ask(client, {
    type: frameType.START,
    request: `start ${container}`,
    args: {
      flags: streamFlags(request.terminal, request.stdin),
      num: [
        ...[request.owner ?? 0, terminalSize.columns, terminalSize.rows, request.logMaxFiles],
        namespaceMask(request.namespaces ?? ['mount', 'pid']),
      ],
      wide: [BigInt(request.logMaxBytes)],
      text: [container, request.cgroup2Dir ?? '', request.logPath, ...listenerOf(request)],
    },
    ops: request.ops,
    ...goingOn(client, container, request.onSync),
  });
  return { pid: decodeStates(answer)[0]!.pid };
}

/** What a question does when its list waits in `sync`. */
export function goingOn(client: Client, container: string, onSync: StartRequest['onSync']) {
  return {
    onSync: async (pid: number) => {
      await onSync?.({ pid });
      await tell(client, 'CONTINUE', { container });
    },
    giveUp: () => tell(client, 'KILL', { container, num: [constants.signals.SIGKILL] }),
  };
}

function openExec(client: Client, request: ExecRequest) {
  const { container, ops, terminal, stdin } = request;
  const args: WireRecord = {
    flags: streamFlags(terminal !== undefined, stdin ? 'open' : 'none'),
    num: [request.owner ?? 0, terminal?.columns ?? 0, terminal?.rows ?? 0],
    text: [container, request.cgroup2Dir ?? '', '', ...listenerOf(request)],
  };
  return openSession(client, { type: frameType.EXEC, request: `exec in ${container}`, args, ops });
}

function attach(client: Client, container: string, stdin: boolean): Promise<ExecSession> {
  const args = { flags: streamFlags(false, stdin ? 'open' : 'none'), text: [container] };
  return openSession(client, { type: frameType.ATTACH, request: `attach to ${container}`, args });
}

export function listenerOf({ listener }: Pick<ExecRequest, 'listener'>): readonly Uint8Array[] {
  return listener ? [Buffer.from(`${listener.path}\0${listener.message}`)] : [];
}

async function openSession(client: Client, asked: Ask): Promise<ExecSession> {
  const first = encodeAsk(client, 1, asked);
  const socket = await connectSocket(client.runDir);
  if (socket === undefined) throw new ShimLost(`${asked.request}: no shim`);
  return startExec(socket, first, (failure) => inWords(client, asked, failure));
}

function streamFlags(terminal: boolean, stdin: StartRequest['stdin']): number {
  const input = stdin === 'none' ? 0 : recordFlag.INPUT;
  const once = stdin === 'once' ? recordFlag.INPUT_ONCE : 0;
  return (terminal ? recordFlag.TERMINAL : 0) | input | once;
}

interface Ask {
  readonly type: number;
  readonly request: string;
  readonly args: WireRecord;
  readonly ops?: readonly Op[];
  /** When the list waits in `sync`; what it throws is the request's error once `giveUp` has ended it. */
  readonly onSync?: (pid: number) => Promise<void>;
  readonly giveUp?: () => Promise<void>;
}

export function ask(client: Client, asked: Ask): Promise<Buffer> {
  if (client.socket.destroyed) throw new ShimLost(`${asked.request}: the shim is gone`);
  const answer = deferred<Buffer>();
  const frame = encodeAsk(client, ++client.lastTag, asked);
  client.questions.set(client.lastTag, { ...asked, answer });
  client.socket.write(frame);
  return answer.promise;
}

function encodeAsk(client: Client, tag: number, asked: Ask): Buffer {
  const { type, args, ops } = asked;
  const refused = { index: -1, stage: 'decode', errno: constants.errno.EINVAL };
  if (ops !== undefined && client.operations < 0) throw inWords(client, asked, refused);
  return encodeFrame(type, tag, encodeList(args, ops ?? []));
}

/** What a shim doesn't know it refuses before it does anything, so its containers are as they were. */
function inWords({ operations }: Client, { request, ops }: Ask, failure: OpFailure): OpError {
  const unknown = failure.stage === 'decode' && operations < limits.OPERATIONS;
  const why = 'this pod runs under an earlier version of orc, which can’t; a new pod can';
  return unknown
    ? new OpError(`${request}: ${why}`, failure)
    : opError(request, ops ?? [], failure);
}

function listen(client: Client): void {
  readFrames(client.socket, (frame) => receive(client, frame));
  client.socket.on('error', (error) => lose(client, error));
  client.socket.on('close', () => lose(client, undefined));
}

function receive(client: Client, frame: Frame): void {
  const { type, tag, payload } = frame;
  const question = client.questions.get(tag);
  if (type !== frameType.SYNC) client.questions.delete(tag);
  if (type === frameType.HELLO) client.hello.resolve(decodeHello(payload));
  else if (type === frameType.CALL) client.call.resolve(payload);
  else if (type === frameType.EXITED)
    for (const listener of client.exitListeners) listener(decodeStates(payload)[0]!);
  else if (type === frameType.SYNC) synchronize(client, question, frame);
  else if (type === frameType.DONE) question?.answer.resolve(payload);
  else if (type === frameType.FAILED)
    question?.answer.reject(inWords(client, question, decodeFailure(payload)));
}

/** The failure that the shim tells in the end is only that of the killed process. */
function synchronize(
  client: Client,
  question: Question | undefined,
  { tag, payload }: Frame,
): void {
  const [state] = decodeStates(payload);
  question
    ?.onSync?.(state!.pid)
    .catch((error: unknown) => {
      const answer = deferred<Buffer>();
      answer.promise.catch(() => question.answer.reject(error));
      client.questions.set(tag, { ...question, answer });
      return question.giveUp?.();
    })
    .catch(question.answer.reject);
}

function lose(client: Client, cause: unknown): void {
  const error = new ShimLost('the shim is gone', { cause });
  client.hello.reject(error);
  client.call.reject(error);
  for (const { request, answer } of client.questions.values())
    answer.reject(new ShimLost(`${request}: the shim is gone`, { cause }));
  client.questions.clear();
  if (client.closed !== 'no') return;
  client.closed = 'lost';
  for (const listener of client.lostListeners) listener();
}

function disconnect(client: Client): void {
  if (client.closed === 'no') client.closed = 'by us';
  client.socket.destroy();
}
