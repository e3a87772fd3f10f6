import { isUtf8 } from 'node:buffer';
import type { Socket } from 'node:net';
import { frameType, limits, recordFlag } from '../../native/generated/binding.ts';
import { encodeFrame } from './frames.ts';
import type { Namespace } from './op-fields.ts';
import { encodeList } from './op-list.ts';
import type { ProcessExit, StartRequest } from './shim.ts';
import { ShimLink } from './shim-client.ts';

interface FrontCall {
  readonly pid: number;
  /** The working directory. */
  readonly directory: string;
  /** Without the program's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

interface FrontStart
  extends Pick<
    StartRequest,
    'cgroup2Dir' | 'terminalSize' | 'owner' | 'listener' | 'onSync' | 'ops'
  > {
  readonly container: string;
  readonly namespaces: readonly Namespace[];
  readonly terminal?: boolean;
  /** Path of the socket that the terminal is sent to; none: it becomes the caller's own. */
  readonly console?: string | undefined;
  /** It ends with the front. */
  readonly isPassing?: boolean;
  /** How many of the caller's descriptors, from 3 on, the process has, too. */
  readonly preserveFds?: number;
}

interface Meeting {
  readonly pid: number;
  /** The directory of the gate. */
  readonly gate?: string;
  readonly onSync?: StartRequest['onSync'];
}

/** The front that has connected. */
export async function openFront(socket: Socket): Promise<Front> {
  const front = new Front(socket);
  socket.write('\n');
  await front.hello.promise;
  const call = await front.call.promise;
  front.called = decodeCall(call);
  front.isText = isUtf8(call);
  return front;
}

/**
 * The planner's view of a front: the process that was called as `orc-oci`, a child of the engine's, which makes processes as a
 * shim does, but with its caller's streams, and ends before them. Throws OpError, and ShimLost when it is gone.
 */
export class Front extends ShimLink {
  readonly #exits = new Map<string, PromiseWithResolvers<ProcessExit>>();
  called: FrontCall = { pid: 0, directory: '/', argv: [], env: {} };
  /** Whether what it was called with is UTF-8; it is changed, if not. */
  isText = true;

  constructor(socket: Socket) {
    super(socket);
    this.onExit(({ container, exit }) => exit && this.#exitOf(container).resolve(exit));
  }

  start(request: FrontStart): Promise<{ readonly pid: number }> {
    const { terminal, isPassing, preserveFds: last = 0, console: path = '' } = request;
    const passing = isPassing ? recordFlag.PASSING : 0;
    const flags = recordFlag.CALLERS | (terminal ? recordFlag.TERMINAL : 0) | passing;
    return this.startFirst(request.container, request, { last, path, flags });
  }

  /** A container that another front has made. With a gate: what waits there goes on; resolves when it runs. */
  async meet(container: string, { pid, gate = '', onSync }: Meeting): Promise<void> {
    await this.ask({
      ...{ type: frameType.MEET, request: `find ${container}` },
      args: { num: [pid], text: [container, gate] },
      ...(onSync && this.goingOn(container, onSync)),
    });
  }

  exitOf(container: string): Promise<ProcessExit> {
    return this.#exitOf(container).promise;
  }

  /** The exit code of what nobody else waits for. It is reaped: until then its pid namespace could not end. */
  async outlive(container: string): Promise<number> {
    const { exitCode } = await this.exitOf(container);
    await this.forget(container);
    return exitCode;
  }

  /** What one of the caller's descriptors gives until its end; half a megabyte at most. */
  async read(descriptor: number): Promise<string> {
    const request = `read descriptor ${descriptor}`;
    const bytes = await this.ask({ type: frameType.READ, request, args: { num: [descriptor] } });
    return bytes.toString();
  }

  print(to: 'stdout' | 'stderr', text: string): void {
    const num = [to === 'stderr' ? 2 : 1];
    for (let at = 0; at < text.length; at += limits.MAX_INPUT) {
      const bytes = Buffer.from(text.slice(at, at + limits.MAX_INPUT));
      this.socket.write(encodeFrame(frameType.PRINT, 0, encodeList({ num, text: [bytes] }, [])));
    }
  }

  /** The front exits; nothing more can be asked. */
  finish(exitCode: number): void {
    this.socket.write(encodeFrame(frameType.FINISH, 0, encodeList({ num: [exitCode] }, [])));
  }

  #exitOf(container: string): PromiseWithResolvers<ProcessExit> {
    return this.#exits.getOrInsertComputed(container, () => Promise.withResolvers());
  }
}

/** Each with a NUL behind it: pid, directory, number of words, words, environment. */
function decodeCall(payload: Buffer): FrontCall {
  const [pid = '', directory = '', count = '', ...rest] = payload
    .toString()
    .split('\0')
    .slice(0, -1);
  const env = rest.slice(Number(count)).map((entry): [string, string] => {
    const at = entry.indexOf('=');
    return [entry.slice(0, at), entry.slice(at + 1)];
  });
  return {
    pid: Number(pid),
    directory,
    argv: rest.slice(0, Number(count)),
    env: Object.fromEntries(env),
  };
}
