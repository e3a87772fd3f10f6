import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A child process that answers calls: one JSON line each way. It ends when its standard input does. */
export interface JsonChild {
  readonly pid: number;
  call<T = unknown>(method: string, params?: object): Promise<T>;
  end(): Promise<void>;
  /** SIGKILL, as a crash would. */
  kill(): Promise<void>;
}

export type JsonHandlers = Record<string, (params: never) => unknown>;

export function startJsonChild(command: string, args: readonly string[]): JsonChild {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = new Map<number, { resolve(value: never): void; reject(error: Error): void }>();
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const answer = JSON.parse(line) as { id: number; result?: unknown; error?: ChildError };
    const call = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.error) call?.reject(Object.assign(new Error(answer.error.message), answer.error));
    else call?.resolve(answer.result as never);
  });
  void exited.then(() => {
    for (const call of waiting.values()) call.reject(new Error('the child process has ended'));
  });
  let last = 0;
  return {
    pid: child.pid ?? 0,
    call: (method, params = {}) =>
      new Promise((resolve, reject) => {
        const id = ++last;
        waiting.set(id, { resolve, reject });
        child.stdin.write(`${JSON.stringify({ id, method, params })}\n`);
      }),
    end: () => ended(child, exited, () => child.stdin.end()),
    kill: () => ended(child, exited, () => child.kill('SIGKILL')),
  };
}

/** The child's side. */
export function serveJson(handlers: JsonHandlers): void {
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const { id, method, params } = JSON.parse(line) as {
      id: number;
      method: string;
      params: never;
    };
    const reply = (answer: object) =>
      process.stdout.write(`${JSON.stringify({ id, ...answer })}\n`);
    Promise.resolve()
      .then(() => handlers[method]?.(params))
      .then(
        (result) => reply({ result: result ?? null }),
        (error: unknown) => reply({ error: childError(error) }),
      );
  });
  lines.on('close', () => process.exit(0));
}

interface ChildError {
  readonly message: string;
  readonly reason?: string;
}

function childError(error: unknown): ChildError {
  const messages: string[] = [];
  for (let e = error; e instanceof Error; e = e.cause) messages.push(e.message);
  const { reason } = error as { reason?: string };
  return { message: messages.join(': '), ...(reason ? { reason } : {}) };
}

async function ended(child: ChildProcess, exited: Promise<void>, end: () => void): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) end();
  await exited;
}
