import { type ChildProcess, spawn } from 'node:child_process';
import { type Deferred, deferred } from '../../base/deadline.ts';
import type { Log } from '../../base/log.ts';
import { frameType } from '../../native/binding.ts';
import { decodeFailure, encodeFrame, type Frame, frameReader } from './frames.ts';
import { OpError } from './op-error.ts';
import { encodeList } from './op-list.ts';
import type { Shim } from './shim.ts';
import { connectShim, ShimLost } from './shim-client.ts';

/** Starts shims from a small process, because fork from a large one is slow. Shims outlive it. */
export interface Launcher {
  /** `runDir` must exist and be root's alone; `cgroupProcs`: the cgroup.procs files that the shim writes itself into. */
  startShim(request: ShimRequest): Promise<Shim>;
  close(): void;
}

interface ShimRequest {
  readonly runDir: string;
  readonly cgroupProcs: readonly string[];
}

export function startLauncher(options: { readonly binary: string; readonly log: Log }): Launcher {
  const child = spawn(options.binary, ['orc-launch'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const starts = new Map<number, Deferred<void>>();
  const read = frameReader();
  let lastTag = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    for (const frame of read(chunk)) settle(starts, frame);
  });
  child.stdin.on('error', (err) => options.log.debug({ err }, 'launcher input closed'));
  child.on('error', (err) => abandon(starts, err));
  child.on('close', () => abandon(starts, undefined));
  return {
    async startShim(request) {
      if (child.stdin.destroyed || child.stdin.writableEnded)
        throw new ShimLost('the launcher ended');
      lastTag += 1;
      const started = deferred<void>();
      starts.set(lastTag, started);
      send(child, lastTag, request);
      await started.promise;
      return connectStarted(request.runDir);
    },
    close: () => void child.stdin.end(),
  };
}

function send(child: ChildProcess, tag: number, { runDir, cgroupProcs }: ShimRequest): void {
  const args = { num: [cgroupProcs.length], text: [runDir, cgroupProcs] };
  child.stdin?.write(encodeFrame(frameType.LAUNCH, tag, encodeList(args, [])));
}

function settle(starts: Map<number, Deferred<void>>, frame: Frame): void {
  const start = starts.get(frame.tag);
  starts.delete(frame.tag);
  if (frame.type === frameType.LAUNCHED) start?.resolve();
  else start?.reject(new OpError('start shim', decodeFailure(frame.payload)));
}

function abandon(starts: Map<number, Deferred<void>>, cause: unknown): void {
  for (const start of starts.values()) start.reject(new ShimLost('the launcher ended', { cause }));
  starts.clear();
}

async function connectStarted(runDir: string): Promise<Shim> {
  const shim = await connectShim(runDir);
  if (shim === undefined) throw new ShimLost(`the shim in ${runDir} ended at once`);
  return shim;
}
