import { isUtf8 } from 'node:buffer';
import type { Socket } from 'node:net';
import { frameType, limits, recordFlag } from '../../native/generated/binding.ts';
import { decodeStates, encodeFrame } from './frames.ts';
import type { Op } from './op.ts';
import { type Namespace, namespaceMask } from './op-fields.ts';
import { encodeList } from './op-list.ts';
import type { ProcessExit, StartRequest } from './shim.ts';
import { ask, type Client, clientOn, goingOn, listenerOf, tell } from './shim-client.ts';

/**
 * The planner's view of a front: the process that was called as `orc-oci`, a child of the engine's, which makes processes as a
 * shim does, but with its caller's streams, and ends before them. Throws OpError, and ShimLost when it is gone.
 */
export type Front = Awaited<ReturnType<typeof openFront>>;

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

export async function openFront(socket: Socket) {
  const client = clientOn(socket);
  const exits = new Map<string, PromiseWithResolvers<ProcessExit>>();
  const exitOf = (container: string) =>
    exits.getOrInsertComputed(container, () => Promise.withResolvers<ProcessExit>());
  client.exitListeners.push(({ container, exit }) => exit && exitOf(container).resolve(exit));
  socket.write('\n');
  await client.hello.promise;
  const call = await client.call.promise;
  return {
    called: decodeCall(call),
    /** Whether what it was called with is UTF-8; it is changed, if not. */
    isText: isUtf8(call),
    /** Runs a list in a short-lived child; the namespaces that it holds are there for later ones. */
    run: async (ops: readonly Op[]) => {
      await ask(client, { type: frameType.RUN, request: 'run', args: {}, ops });
    },
    start: (request: FrontStart) => start(client, request),
    /** A container that another front has made. With a gate: what waits there goes on; resolves when it runs. */
    meet: async (container: string, { pid, gate = '', onSync }: Meeting) => {
      await ask(client, {
        ...{ type: frameType.MEET, request: `find ${container}` },
        args: { num: [pid], text: [container, gate] },
        ...(onSync && goingOn(client, container, onSync)),
      });
    },
    kill: (container: string, signal: number) => tell(client, 'KILL', { container, num: [signal] }),
    exitOf: (container: string) => exitOf(container).promise,
    /** What one of the caller's descriptors gives until its end; half a megabyte at most. */
    read: async (descriptor: number) => {
      const request = `read descriptor ${descriptor}`;
      return (
        await ask(client, { type: frameType.READ, request, args: { num: [descriptor] } })
      ).toString();
    },
    print(to: 'stdout' | 'stderr', text: string) {
      const num = [to === 'stderr' ? 2 : 1];
      for (let at = 0; at < text.length; at += limits.MAX_INPUT) {
        const bytes = Buffer.from(text.slice(at, at + limits.MAX_INPUT));
        socket.write(encodeFrame(frameType.PRINT, 0, encodeList({ num, text: [bytes] }, [])));
      }
    },
    /** The front exits; nothing more can be asked. */
    finish: (exitCode: number) =>
      void socket.write(encodeFrame(frameType.FINISH, 0, encodeList({ num: [exitCode] }, []))),
  };
}

async function start(client: Client, request: FrontStart): Promise<{ readonly pid: number }> {
  const { container, namespaces, terminalSize, onSync } = request;
  const { columns = 80, rows = 24 } = terminalSize ?? {};
  const answer = await ask(client, {
    type: frameType.START,
    request: `start ${container}`,
    args: {
      flags:
        recordFlag.CALLERS |
        (request.terminal ? recordFlag.TERMINAL : 0) |
        (request.isPassing ? recordFlag.PASSING : 0),
      num: [
        ...[request.owner ?? 0, columns, rows, request.preserveFds ?? 0],
        namespaceMask(namespaces),
      ],
      text: [
        ...[container, request.cgroup2Dir ?? '', request.console ?? ''],
        ...listenerOf(request),
      ],
    },
    ops: request.ops,
    ...goingOn(client, container, onSync),
  });
  return { pid: decodeStates(answer)[0]!.pid };
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
