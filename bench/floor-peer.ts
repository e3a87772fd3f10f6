import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { runProgram } from '../test/support/run-program.ts';

/** Milliseconds from the beginning. */
export interface Times {
  readonly started: number;
  readonly exited: number;
  readonly deleted: number;
}

/** What is measured: one start of `true` to its end and removal, or so many of them at once. */
export interface Contender {
  readonly name: string;
  once(): Promise<Times>;
  /** Milliseconds until all of them are gone. */
  burst(count: number): Promise<number>;
}

/** A running bench/floor.c, which is also the clock of programs. */
export interface Floor {
  /** Each line is answered with numbers, in milliseconds. Throws if it has ended. */
  ask(line: string): Promise<readonly number[]>;
  stop(): Promise<void>;
}

/** Programs of the bench: no file is newer than what it was made of. */
export async function buildFloor(dir: string): Promise<{ floor: string; true: string }> {
  const built = { floor: join(dir, 'floor'), true: join(dir, 'true') };
  const compile = async (output: string, ...args: readonly string[]) => {
    const { code, err } = await runProgram('gcc', ['-O2', '-static', '-o', output, ...args]);
    if (code !== 0) throw new Error(err);
  };
  await compile(built.floor, '-std=gnu17', '-D_GNU_SOURCE', join(import.meta.dirname, 'floor.c'));
  await compile(built.true, '-nostdlib', join(import.meta.dirname, 'true.c'));
  return built;
}

/** A root file system with /true and the places that mounts go to. */
export async function makeRoot(dir: string, program: string): Promise<string> {
  for (const name of ['proc', 'sys', 'dev', 'etc'])
    await mkdir(join(dir, name), { recursive: true });
  await copyFile(program, join(dir, 'true'));
  await chmod(join(dir, 'true'), 0o755);
  return dir;
}

export interface FloorOptions {
  readonly program: string;
  readonly dir: string;
  readonly layer: string;
  readonly filter: Uint8Array;
  /** As floor.c takes them. */
  readonly groups: readonly string[];
  /** What is put before the command line. */
  readonly within?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export async function startFloor(options: FloorOptions): Promise<Floor> {
  const { program, dir, layer, filter, groups, within = [], env = {} } = options;
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'filter'), filter);
  const args = [...within, program, dir, layer, join(dir, 'filter'), ...groups];
  const child = spawn(args[0]!, args.slice(1), {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  return linesOf(child);
}

function linesOf(child: ChildProcess): Floor {
  const { stdin, stdout } = child;
  if (!stdin || !stdout) throw new Error('no pipes');
  const ended = new Promise<never>((_, reject) => {
    child.once('exit', (code) => reject(new Error(`floor ended with ${code}`)));
  });
  ended.catch(() => undefined);
  const gone = new Promise((resolve) => child.once('exit', resolve));
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  return {
    async ask(line) {
      stdin.write(`${line}\n`);
      const { value, done } = await lines.next();
      return String(done ? await ended : value)
        .split(' ')
        .map((ns) => Number(ns) / 1e6);
    },
    async stop() {
      stdin.end();
      await gone;
    },
  };
}

/** The floor itself. */
export function floorContender(floor: Floor, kind: 'container' | 'pod'): Contender {
  return {
    name: kind === 'pod' ? 'floor: pod and container' : 'floor: container',
    once: () => timesOf(floor, kind),
    burst: async (count) => (await floor.ask(`burst ${kind} ${count} ${atOnce}`))[0]!,
  };
}

/** More than there are processors, and no more than would wait for one another. The same for all contenders. */
export const atOnce = 16;

/** `once` gets the number of its place among those. Milliseconds until all are done. */
export async function inBurst(count: number, once: (place: number) => Promise<unknown>) {
  const begun = performance.now();
  let left = count;
  const inTurn = async (place: number) => {
    while (left-- > 0) await once(place);
  };
  await Promise.all(Array.from({ length: atOnce }, (_, place) => inTurn(place)));
  return performance.now() - begun;
}

export async function timesOf(floor: Floor, line: string): Promise<Times> {
  const [started = NaN, exited = NaN, deleted = NaN] = await floor.ask(line);
  return { started, exited, deleted };
}
