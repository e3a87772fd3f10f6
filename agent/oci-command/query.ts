import { execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { sleep } from '../../base/clock.ts';
import { readCgroupStats } from '../kernel/cgroup-usage.ts';
import { features as describeFeatures } from '../oci/features.ts';
import { type Call, CommandError, type Given } from './call.ts';
import { isFrozen, processesIn } from './container-cgroup.ts';
import * as containers from './container-state.ts';
import { defaultSpec, rootlessSpec } from './default-spec.ts';

const say = ({ front }: Call, text: string) => front.print('stdout', text);
const sayJson = (call: Call, value: unknown) =>
  say(call, `${JSON.stringify(value, undefined, 2)}\n`);

function statusOf(stored: containers.Stored): containers.Status {
  if (stored.record.creating) return 'creating';
  if (!containers.isAlive(stored)) return 'stopped';
  if (isFrozen(stored.record.cgroups)) return 'paused';
  return containers.isWaiting(stored) ? 'created' : 'running';
}

/** As runc and crun tell it: the specification's "state" and more. */
function describe(stored: containers.Stored) {
  const { record, spec } = stored;
  const status = statusOf(stored);
  return {
    ociVersion: spec.ociVersion,
    id: record.id,
    pid: status === 'stopped' ? 0 : record.pid,
    status,
    bundle: record.bundle,
    rootfs: resolve(record.bundle, spec.root?.path ?? ''),
    created: record.created,
    annotations: spec.annotations ?? {},
    owner: record.owner,
  };
}

export async function state(call: Call, { id }: Given<'state'>): Promise<void> {
  sayJson(call, describe(containers.find(call.root, id)));
}

export async function list(call: Call, { options }: Given<'list'>): Promise<void> {
  const all = containers
    .ids(call.root)
    .flatMap((id) => containers.load(call.root, id) ?? [])
    .map(describe);
  if (options.quiet) return say(call, all.map(({ id }) => `${id}\n`).join(''));
  if (options.format === 'json') return say(call, `${JSON.stringify(all)}\n`);
  if (options.format !== undefined && options.format !== 'table')
    throw new CommandError(`invalid format option`);
  const rows = all.map((c) => [c.id, String(c.pid), c.status, c.bundle, c.created, c.owner]);
  const head = ['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER'];
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i]!.length)) + 3);
  const lines = [head, ...rows].map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('')
      .trimEnd(),
  );
  say(call, `${lines.join('\n')}\n`);
}

/** What ps(1) of the host says of the container's processes. */
export async function ps(call: Call, { options, id, words: args }: Given<'ps'>): Promise<void> {
  const pids = processesIn(containers.find(call.root, id).record.cgroups);
  if (options.format === 'json') return say(call, `${JSON.stringify(pids)}\n`);
  const { stdout } = await promisify(execFile)('ps', args.length > 0 ? [...args] : ['-ef']);
  const [head = '', ...lines] = stdout.trimEnd().split('\n');
  const column = head.trim().split(/\s+/).indexOf('PID');
  if (column < 0) throw new CommandError('ps shows no column PID');
  const own = lines.filter((line) => pids.includes(Number(line.trim().split(/\s+/)[column])));
  say(call, `${[head, ...own].join('\n')}\n`);
}

/** "500ms", "5s", "1m"; a number is of seconds. Throws CommandError. */
function durationMs(text: string): number {
  const [, count, unit = 's'] = /^(\d{1,6}(?:\.\d+)?)(ms|s|m)?$/.exec(text) ?? [];
  if (count === undefined) throw new CommandError(`--interval: no duration: "${text}"`);
  return Number(count) * { ms: 1, s: 1000, m: 60_000 }[unit as 'ms' | 's' | 'm'];
}

export async function events(call: Call, { options, id }: Given<'events'>): Promise<void> {
  const intervalMs = durationMs(options.interval ?? '5s');
  for (;;) {
    const stored = containers.find(call.root, id);
    if (!containers.isAlive(stored)) return;
    const stats = await readCgroupStats(stored.record.cgroups);
    if (stats) say(call, `${JSON.stringify({ type: 'stats', id, data: asRuncDoes(stats) })}\n`);
    if (options.stats) return;
    await sleep(call.clock, intervalMs);
  }
}

type Stats = NonNullable<Awaited<ReturnType<typeof readCgroupStats>>>;

function asRuncDoes(stats: Stats) {
  const { cpuNs, cpuUserNs, cpuSystemNs, memoryBytes, memoryLimitBytes, pids, pidsLimit } = stats;
  const cpu = { total: cpuNs, kernel: cpuSystemNs, user: cpuUserNs };
  const throttling = {
    periods: stats.cpuPeriods,
    throttledPeriods: stats.cpuThrottledPeriods,
    throttledTime: stats.cpuThrottledNs,
  };
  const io = Object.entries(stats.io).flatMap(([device, { readBytes, writtenBytes }]) => {
    const [major, minor] = device.split(':').map(Number);
    return [
      ['Read', readBytes],
      ['Write', writtenBytes],
    ].map(([op, value]) => ({ major, minor, op, value }));
  });
  return {
    cpu: { usage: cpu, throttling },
    memory: { usage: { limit: memoryLimitBytes, usage: memoryBytes }, raw: {} },
    pids: { current: pids, limit: pidsLimit },
    blkio: { ioServiceBytesRecursive: io },
    hugetlb: Object.fromEntries(
      Object.entries(stats.hugepages).map(([size, usage]) => [size, { usage }]),
    ),
  };
}

/** A configuration to start from, as runc’s. */
export async function spec(call: Call, { options }: Given<'spec'>): Promise<void> {
  const { directory } = call.front.called;
  const file = resolve(directory, options.config ?? join(options.bundle ?? '.', 'config.json'));
  const version = existsSync('/sys/fs/cgroup/cgroup.controllers') ? 2 : 1;
  if (existsSync(file)) throw new CommandError(`File ${file} exists. Remove it first`);
  writeFileSync(
    file,
    `${JSON.stringify(options.rootless ? rootlessSpec(version) : defaultSpec(version), undefined, '\t')}\n`,
  );
}

export async function features(call: Call): Promise<void> {
  sayJson(call, describeFeatures());
}
