/** `make demo` and `make demo-stop`: a cluster in the background, worked with as a person would, by the command line. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { chown, mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Readable } from 'node:stream';
import { sleep, systemClock } from '../base/clock.ts';
import { readIfPresent } from '../base/durable-file.ts';
import { errorChain } from '../base/error-chain.ts';
import { readDevConfig } from './config.ts';
import { buildHelloImage } from './images/hello-image.ts';
import { pushImage } from './images/push-image.ts';
import { sweepLeftovers } from './leftovers.ts';
import { orcCommand } from './roles.ts';

const root = join(import.meta.dirname, '..');
const demoDir = join(root, '.orc/demo');
const kubeconfig = join(demoDir, 'kubeconfig');
const pidFile = join(demoDir, 'dev.pid');
const cacheDir = join(root, '.cache');

async function main([verb = '']: readonly string[]): Promise<number> {
  const verbs: Readonly<Record<string, () => Promise<number>>> = { start, stop, push };
  const run = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
  if (run !== undefined) return run();
  console.error('usage: demo start|stop');
  return 2;
}

async function start(): Promise<number> {
  const { owner } = readDevConfig([]);
  await mkdir(demoDir, { recursive: true });
  if (owner) await chown(join(root, '.orc'), owner.uid, owner.gid);
  await buildHelloImage(cacheDir);
  if ((await runningPid()) !== undefined) console.log('  orc dev     already up');
  else await startCluster();
  await pushFromInside();
  if (show('apply', '-f', join(root, 'manifests'), '--wait') !== 0) return 1;
  console.log('');
  if (show('get', 'pods', '-o', 'wide') !== 0) return 1;
  console.log('');
  return showAnswers();
}

/** The registry is reached only from the hosts' network: so this program runs itself again in there. */
async function pushFromInside(): Promise<void> {
  const text = await readFile(join(demoDir, 'hosts.json'), 'utf8');
  const { registry } = JSON.parse(text) as { readonly registry: number };
  const self = [process.execPath, import.meta.filename, 'push'];
  const inside = ['--target', `${registry}`, '--net', '--', ...self];
  const { status } = spawnSync('nsenter', inside, { stdio: 'inherit' });
  if (status !== 0) throw new Error('pushing the image failed');
}

async function push(): Promise<number> {
  const image = await buildHelloImage(cacheDir);
  await pushImage(image, { registry: 'http://127.0.0.1:5000', repository: 'hello', tag: '1' });
  console.log('  registry    registry:5000/hello:1 pushed');
  return 0;
}

/** The Service's answers, from inside the cluster, and where it is on this machine. */
async function showAnswers(): Promise<number> {
  const ask = ['exec', 'deploy/hello', '--', 'wget', '-qO-', 'http://hello.default'];
  console.log(`  $ orc ${ask.join(' ')}`);
  const answers = new Set<string>();
  for (let i = 0; i < 12 && answers.size < 3; i++) {
    const answer = orc(ask, 'pipe').stdout.trim();
    if (answer !== '') answers.add(answer);
  }
  for (const answer of answers) console.log(`    → ${answer}`);
  const said = await readFile(join(demoDir, 'dev.log'), 'utf8');
  const published = /Published +(\S+) →/.exec(said)?.[1];
  if (published) console.log(`\n  On this machine: http://${published}`);
  const path = relative(process.cwd(), kubeconfig);
  console.log(
    [
      '',
      `  Go on:  export KUBECONFIG=${path}`,
      '          ./orc get pods -o wide · ./orc logs deploy/hello · ./orc exec -it deploy/hello -- sh',
      '          kubectl get nodes',
      '  Stop:   make demo-stop',
    ].join('\n'),
  );
  if (answers.size > 1) return 0;
  console.error('demo: fewer than two pods answered');
  return 1;
}

async function startCluster(): Promise<void> {
  const logPath = join(demoDir, 'dev.log');
  const log = openSync(logPath, 'w');
  const [node = '', ...args] = orcCommand(
    ...['dev', '--nodes', '3', '--data-dir', demoDir, '--port', '0', '--registry'],
    ...['--publish', '0:hello'],
    ...['--cache-dir', cacheDir, '--ready-fd', '3'],
  );
  const child = spawn(node, args, { stdio: ['ignore', log, log, 'pipe'], detached: true });
  closeSync(log);
  await writeFile(pidFile, String(child.pid));
  const pipe = child.stdio[3] as Readable;
  const isUp = await Promise.race([
    once(pipe, 'data').then(() => true),
    once(child, 'exit').then(() => false),
  ]);
  const said = await readFile(logPath, 'utf8');
  if (!isUp) throw new Error(`orc dev did not come up:\n${said}`);
  child.unref();
  pipe.destroy();
  console.log(said.split('\n')[0]);
}

async function stop(): Promise<number> {
  const pid = await runningPid();
  if (pid !== undefined) {
    process.kill(pid, 'SIGTERM');
    await ended(pid);
  }
  await sweepLeftovers(systemClock());
  await rm(demoDir, { recursive: true, force: true });
  await removeIfEmpty(join(root, '.orc'));
  const outcome = pid === undefined ? 'was not running' : 'stopped; nothing is left but caches';
  console.log(`  orc dev     ${outcome}`);
  return 0;
}

async function removeIfEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOENT' && code !== 'ENOTEMPTY') throw error;
  }
}

/** Of the demo's `orc dev`, if it runs: a pid that something else has by now doesn't count. */
async function runningPid(): Promise<number | undefined> {
  const pid = Number(await readIfPresent(readFile(pidFile, 'utf8')));
  const commandLine = await readIfPresent(readFile(`/proc/${pid}/cmdline`, 'utf8'));
  return commandLine?.includes('\0dev\0') ? pid : undefined;
}

/** Not our child: its /proc entry is all there is to wait for. */
async function ended(pid: number): Promise<void> {
  const clock = systemClock();
  for (let waitedMs = 0; waitedMs < 20_000; waitedMs += 50) {
    if ((await runningPid()) !== pid) return;
    await sleep(clock, 50);
  }
  throw new Error(`orc dev (pid ${pid}) does not end`);
}

/** Runs the command line as a user would, in full view; gives its exit code. */
const show = (...args: readonly string[]): number => orc(args, 'inherit').status ?? 1;

function orc(args: readonly string[], stdio: 'inherit' | 'pipe') {
  const [program = '', ...rest] = orcCommand('--kubeconfig', kubeconfig, ...args);
  return spawnSync(program, rest, { stdio, encoding: 'utf8' });
}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(`demo: ${errorChain(error)}`);
  return 1;
});
