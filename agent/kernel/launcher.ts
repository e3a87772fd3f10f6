import { spawn } from 'node:child_process';
import type { Log } from '../../base/log.ts';
import { frameType } from '../../native/generated/binding.ts';
import type { Birthplace } from './cgroups.ts';
import { decodeFailure, encodeFrame, type Frame, readFrames } from './frames.ts';
import { OpError } from './op-error.ts';
import { encodeList } from './op-list.ts';
import { connectShim, type Shim, ShimLost } from './shim-client.ts';

/** Starts shims from a small process, because fork from a large one is slow. Shims outlive it. */
export type Launcher = ReturnType<typeof startLauncher>;

export interface ShimRequest extends Birthplace {
  readonly runDir: string;
}

/** One that was killed is started again with the next shim; its starts fail with ShimLost. */
export function startLauncher(options: LauncherOptions) {
  let running = startProcess(options);
  let closed = false;
  return {
    /** `runDir` must exist and be root's alone. */
    async startShim(request: ShimRequest) {
      if (closed) throw new ShimLost('the launcher ended');
      if (running.hasEnded()) running = startProcess(options);
      await running.launch(request);
      return connectStarted(request.runDir);
    },
    /** Resolves when it answers; one that ended is as good: the next shim starts it again. */
    answers: async () => (running.hasEnded() ? undefined : running.ask(frameType.LIST)),
    close() {
      closed = true;
      running.close();
    },
  };
}

type LauncherOptions = Readonly<{ binary: string; log: Log }>;

function startProcess({ binary, log }: LauncherOptions) {
  const child = spawn(binary, ['orc-launch'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const asked = new Map<number, PromiseWithResolvers<void>>();
  let lastTag = 0;
  readFrames(child.stdout, (frame) => settle(asked, frame));
  child.stdout.on('error', () => child.kill());
  child.stdin.on('error', (err) => log.debug({ err }, 'launcher input closed'));
  child.on('error', (err) => abandon(asked, err));
  child.on('close', () => abandon(asked, undefined));
  const ask = (type: number, payload: Buffer = Buffer.alloc(0)): Promise<void> => {
    const answer = Promise.withResolvers<void>();
    asked.set(++lastTag, answer);
    child.stdin.write(encodeFrame(type, lastTag, payload));
    return answer.promise;
  };
  return {
    hasEnded: () => child.stdin.destroyed,
    launch({ runDir, cgroup2Dir = '', cgroupProcs }: ShimRequest) {
      const text = [runDir, cgroupProcs, cgroup2Dir];
      return ask(frameType.LAUNCH, encodeList({ num: [cgroupProcs.length], text }, []));
    },
    ask,
    close: () => void child.stdin.end(),
  };
}

function settle(asked: Map<number, PromiseWithResolvers<void>>, frame: Frame): void {
  const start = asked.get(frame.tag);
  asked.delete(frame.tag);
  if (frame.type !== frameType.FAILED) start?.resolve();
  else start?.reject(new OpError('start shim', decodeFailure(frame.payload)));
}

function abandon(asked: Map<number, PromiseWithResolvers<void>>, cause: unknown): void {
  for (const start of asked.values()) start.reject(new ShimLost('the launcher ended', { cause }));
  asked.clear();
}

async function connectStarted(runDir: string): Promise<Shim> {
  const shim = await connectShim(runDir);
  if (shim === undefined) throw new ShimLost(`the shim in ${runDir} ended at once`);
  return shim;
}
