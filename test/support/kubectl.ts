import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Every kubectl of another minor version that this machine has, oldest first. */
export function findKubectls(): readonly Kubectl[] {
  const path = (process.env.PATH ?? '').split(':');
  const dirs = [...path, process.env.KUBECTL_DIR ?? '', ...path.flatMap(besideKubectl)];
  return ['1.27', '1.28', '1.29', '1.30', '1.31', '1.32', '1.33'].flatMap((version) => {
    const paths = dirs.map((dir) => join(dir, `kubectl.${version}`));
    const found = paths.find((candidate) => candidate.startsWith('/') && existsSync(candidate));
    return found === undefined ? [] : [{ version, path: found }];
  });
}

/** The oldest and the newest. */
export const outermostKubectls = (): readonly Kubectl[] =>
  findKubectls().filter((_, index, all) => index === 0 || index === all.length - 1);

/** A package may keep several versions in one place and link only one of them into the PATH. */
function besideKubectl(dir: string): readonly string[] {
  const kubectl = join(dir, 'kubectl');
  return existsSync(kubectl) ? [dirname(realpathSync(kubectl))] : [];
}

export interface Kubectl {
  readonly version: string;
  readonly path: string;
}

export interface KubectlRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface KubectlOptions {
  readonly kubeconfig: string;
  /** Also where kubectl keeps what it discovers. */
  readonly cacheDir: string;
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
}

/** One that runs until it is stopped: a watch. */
export interface RunningKubectl {
  readonly ended: Promise<KubectlRun>;
  /** What it has printed so far. */
  out(): string;
  err(): string;
  stop(): void;
}

export function runKubectl(
  kubectl: Kubectl,
  args: readonly string[],
  options: KubectlOptions,
): Promise<KubectlRun> {
  return startKubectl(kubectl, args, options).ended;
}

export function startKubectl(
  { path }: Kubectl,
  args: readonly string[],
  { kubeconfig, cacheDir, input, env }: KubectlOptions,
): RunningKubectl {
  const child = spawn(path, ['--kubeconfig', kubeconfig, '--cache-dir', cacheDir, ...args], {
    // It lives too briefly for collecting garbage to pay.
    env: { PATH: process.env.PATH, HOME: cacheDir, GOGC: 'off', ...env },
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const ended = new Promise<KubectlRun>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) =>
      resolve({
        code: code ?? -1,
        out: Buffer.concat(out).toString(),
        err: Buffer.concat(err).toString(),
      }),
    );
  });
  return {
    ended,
    out: () => Buffer.concat(out).toString(),
    err: () => Buffer.concat(err).toString(),
    stop: () => void child.kill(),
  };
}
