import { readFileSync } from 'node:fs';
import { startLauncher } from '../../agent/kernel/launcher.ts';
import { silentLog } from '../../base/log.ts';
import { nativeBinary } from '../../native/binary.ts';

/** `lone-agent.ts RUN_DIR ROOT`: starts a shim with one container, prints the pids of launcher and container, waits. */
const [runDir = '', root = ''] = process.argv.slice(2);
const launcher = startLauncher({ binary: nativeBinary, log: silentLog });
const shim = await launcher.startShim({ runDir, cgroupProcs: [] });
const { pid } = await shim.start({
  container: 'c',
  cgroup2Dir: undefined,
  logPath: `${runDir}/log`,
  logMaxBytes: 100_000,
  logMaxFiles: 2,
  terminal: false,
  stdin: 'none',
  ops: [
    { op: 'set-root', path: root },
    { op: 'exec', argv: [`${root}/bin/busybox`, 'sleep', '1000'], env: [] },
  ],
});
const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8');
process.stdout.write(`${children.trim().split(' ')[0]} ${pid}\n`);
