import { appendFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { errorChain } from '../../base/error-chain.ts';
import type { Front } from '../kernel/front-client.ts';
import { ShimLost } from '../kernel/shim-client.ts';
import { OciError } from '../oci/oci-error.ts';
import { type Call, CommandError, type Given } from './call.ts';
import { kill, remove } from './end.ts';
import { exec } from './exec.ts';
import { pause, resume, update } from './limits.ts';
import {
  globalOptions,
  parseAnywhere,
  parseLeading,
  type VerbName,
  verbOptions,
} from './options.ts';
import { events, features, list, ps, spec, state } from './query.ts';
import { create, run, start } from './run.ts';

/** Does its work; a number is the exit code, else 0. */
type Verb<V extends VerbName> = (call: Call, given: Given<V>) => Promise<number | void>;

/** How many words each takes behind its options: at least, at most. */
const verbs: { readonly [V in VerbName]: readonly [Verb<V>, number, number] } = {
  create: [create, 1, 1],
  run: [run, 1, 1],
  start: [start, 1, 1],
  exec: [exec, 1, Number.POSITIVE_INFINITY],
  kill: [kill, 1, 2],
  delete: [remove, 1, 1],
  state: [state, 1, 1],
  list: [list, 0, 0],
  ps: [ps, 1, Number.POSITIVE_INFINITY],
  pause: [pause, 1, 1],
  resume: [resume, 1, 1],
  update: [update, 1, 1],
  events: [events, 1, 1],
  spec: [spec, 0, 0],
  features: [features, 0, 0],
};

const isVerb = (name: string): name is VerbName => Object.hasOwn(verbs, name);

type Global = ReturnType<typeof parseLeading<typeof globalOptions>>['values'];

/** What a call needs beyond the front that it came by. */
export type Machine = Pick<Call, 'clock' | 'modules' | 'capabilities' | 'power' | 'compile'>;

/** One call, from its words to its exit code. */
export async function answer(front: Front, machine: Machine, version: string): Promise<void> {
  let log = openLog(front, {}, machine.clock);
  try {
    const { values, rest } = parseLeading(globalOptions, front.called.argv);
    log = openLog(front, values, machine.clock);
    if (!front.isText) throw new CommandError('words, environment and directory must be UTF-8');
    const [name = '', ...argv] = rest;
    log('debug', `orc-oci ${front.called.argv.join(' ')}`);
    if (values.version) front.print('stdout', `orc-oci version ${version}\nspec: 1.3.0\n`);
    else if (values.help || name === '' || name === 'help') front.print('stdout', usage);
    else return front.finish(await perform(callOf({ front, log, ...machine }, values), name, argv));
    front.finish(0);
  } catch (error) {
    if (error instanceof ShimLost) return;
    const what = error instanceof OciError ? 'invalid configuration: ' : '';
    log('error', what + errorChain(error));
    // By 1 the process itself might have ended.
    front.finish(front.called.argv.includes('exec') ? 255 : 1);
  }
}

async function perform(call: Call, name: string, argv: readonly string[]): Promise<number> {
  if (!isVerb(name)) throw new CommandError(`no such command: "${name}"`);
  const [work, least, most] = verbs[name] as readonly [Verb<VerbName>, number, number];
  const parse = most === Number.POSITIVE_INFINITY ? parseLeading : parseAnywhere;
  const { values, rest } = parse({ ...verbOptions[name], help: globalOptions.help }, argv);
  if (values.help) call.front.print('stdout', usageOf(name));
  if (values.help) return 0;
  const all = name === 'state' && 'all' in values;
  if ((rest.length < least && !all) || rest.length > most)
    throw new CommandError(`${name}: wrong number of arguments; ${usageOf(name)}`);
  const [id = '', ...words] = rest;
  return (await work(call, { options: values, id, words })) ?? 0;
}

const usage = `usage: orc-oci [--root DIR] [--log FILE] [--log-format text|json] COMMAND\ncommands: ${Object.keys(verbs).join(', ')}\n`;

function usageOf(name: VerbName): string {
  const words = Object.entries(verbOptions[name]).map(([option, { type }]) =>
    type === 'boolean' ? `[--${option}]` : `[--${option} VALUE]`,
  );
  return `usage: orc-oci ${[name, ...words].join(' ')} ${verbs[name][2] > 0 ? 'ID' : ''}\n`;
}

function callOf(
  { log, ...rest }: Machine & { front: Front; log: CommandLog },
  options: Global,
): Call {
  const { called } = rest.front;
  const { XDG_RUNTIME_DIR: own } = called.env;
  const others = own === undefined ? `/tmp/orc-oci-${process.getuid?.()}` : `${own}/orc-oci`;
  const usual = process.getuid?.() === 0 ? '/run/orc-oci' : others;
  const manager = options['systemd-cgroup'] ? 'systemd' : (options['cgroup-manager'] ?? 'cgroupfs');
  if (!isManager(manager)) throw new CommandError(`--cgroup-manager: no such one: "${manager}"`);
  return {
    ...rest,
    root: resolve(called.directory, options.root ?? usual),
    cgroups: manager,
    warn: (message) => log('warning', message),
  };
}

const isManager = (name: string): name is Call['cgroups'] =>
  ['cgroupfs', 'systemd', 'disabled'].includes(name);

/** Says it to the log, whose last line engines read; and on standard error if there is none, or it is an error. */
type CommandLog = (level: 'error' | 'warning' | 'debug', message: string) => void;

interface LogOptions {
  readonly log?: string | undefined;
  readonly 'log-format'?: string | undefined;
  readonly debug?: boolean | undefined;
}

/** Throws CommandError for one that can't be written. */
function openLog(front: Front, options: LogOptions, clock: Clock): CommandLog {
  const { 'log-format': format = 'text', log } = options;
  const file = log && resolve(front.called.directory, log);
  if (!['text', 'json'].includes(format)) throw new CommandError(`unknown log-format "${format}"`);
  try {
    if (file) appendFileSync(file, '');
  } catch (cause) {
    throw new CommandError('--log', { cause });
  }
  return (level, msg) => {
    if (level === 'debug' && !options.debug) return;
    const time = new Date(clock.now()).toISOString();
    const json = JSON.stringify({ level, msg, time });
    const line =
      format === 'json' ? json : `time="${time}" level=${level} msg=${JSON.stringify(msg)}`;
    if (file) appendFileSync(file, `${line}\n`);
    if (!file || level === 'error')
      front.print(
        'stderr',
        level === 'debug' || (!file && format === 'json') ? `${line}\n` : `orc-oci: ${msg}\n`,
      );
  };
}
