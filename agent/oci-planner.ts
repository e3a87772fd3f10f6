/**
 * The planner of the OCI command line: what `orc-oci` (native/oci.c) asks when it is called. Started by the first call of a
 * user's, it serves all that come by its socket, and ends when none has for a while.
 */
import { readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { systemClock } from '../base/clock.ts';
import { ifPresent } from '../base/durable-file.ts';
import packageJson from '../package.json' with { type: 'json' };
import { openFront } from './kernel/front-client.ts';
import { activeModules, ownCapabilities, ownPower } from './kernel/own-rights.ts';
import { answer } from './oci-command/command.ts';
import { seccompFilters } from './runtime/seccomp-filters.ts';

const LISTENER_FD = 3;
/** Of its socket, in the working directory. */
const [, , name = 'unknown'] = process.argv;
const IDLE_MS = 10_000;
const LOOK_MS = 500;

const clock = systemClock();
const filters = seccompFilters(process.arch);
const machine = {
  clock,
  modules: activeModules(),
  capabilities: ownCapabilities(),
  power: ownPower(),
  compile: filters.of,
};

let open = 0;
let cancel = () => {};

const server = createServer((socket) => {
  open++;
  cancel();
  socket.on('error', () => undefined);
  socket.on('close', () => {
    open--;
    if (open === 0) idle();
  });
  openFront(socket)
    .then((front) => answer(front, machine, packageJson.version))
    .catch((error: unknown) => socket.destroy(error instanceof Error ? error : undefined));
});

/** Whoever comes while it ends isn't greeted, and starts another one. */
function idle(): void {
  const began = clock.monotonic();
  const look = () => {
    if (clock.monotonic() - began < IDLE_MS && !isWaitedFor()) {
      cancel = clock.after(LOOK_MS, look);
      return;
    }
    rmSync(name, { force: true });
    process.exit(0);
  };
  cancel = clock.after(LOOK_MS, look);
}

/** An engine's monitor that inherited it from a front stays for as long as it has a child, be it the last one. */
function isWaitedFor(): boolean {
  const { ppid } = process;
  const path = `/proc/${ppid}/task/${ppid}/children`;
  return ppid > 1 && ifPresent(() => readFileSync(path, 'utf8'))?.trim() === String(process.pid);
}

process.umask(0o022);
server.listen({ fd: LISTENER_FD });
idle();
