import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { CommandError } from './call.ts';

const flag = { type: 'boolean' } as const;
const value = { type: 'string' } as const;
const values = { type: 'string', multiple: true } as const;

const all = <O, const N extends string>(option: O, ...names: readonly N[]) =>
  Object.fromEntries(names.map((name) => [name, option])) as { readonly [K in N]: O };

const creating = {
  bundle: { ...value, short: 'b' },
  config: { ...value, short: 'f' },
  ...all(value, 'pid-file', 'console-socket'),
  ...all(flag, 'no-pivot', 'no-new-keyring'),
  'preserve-fds': value,
} as const;

/** Those of runc and crun, before the verb and after it. */
export const globalOptions = {
  ...all(value, 'root', 'log', 'log-format', 'log-level'),
  debug: flag,
  'systemd-cgroup': flag,
  ...all(value, 'cgroup-manager', 'rootless', 'criu'),
  version: { ...flag, short: 'v' },
  help: { ...flag, short: 'h' },
} as const;

export const verbOptions = {
  create: creating,
  run: { ...creating, detach: { ...flag, short: 'd' }, ...all(flag, 'keep', 'no-subreaper') },
  start: {},
  exec: {
    process: { ...value, short: 'p' },
    detach: { ...flag, short: 'd' },
    tty: { ...flag, short: 't' },
    cwd: value,
    env: { ...values, short: 'e' },
    user: { ...value, short: 'u' },
    'additional-gids': { ...values, short: 'g' },
    cap: { ...values, short: 'c' },
    ...all(value, 'apparmor', 'process-label'),
    'no-new-privs': flag,
    ...all(value, 'cgroup', 'pid-file', 'console-socket', 'preserve-fds'),
    ...all(flag, 'no-subreaper', 'ignore-paused'),
  },
  kill: { all: { ...flag, short: 'a' }, regex: { ...flag, short: 'r' } },
  delete: { force: { ...flag, short: 'f' }, regex: { ...flag, short: 'r' } },
  state: { all: { ...flag, short: 'a' } },
  list: { quiet: { ...flag, short: 'q' }, format: { ...value, short: 'f' } },
  ps: { format: { ...value, short: 'f' } },
  pause: {},
  resume: {},
  update: {
    resources: { ...value, short: 'r' },
    ...all(value, 'blkio-weight', 'cpu-period', 'cpu-quota', 'cpu-burst', 'cpu-rt-period'),
    ...all(value, 'cpu-rt-runtime', 'cpu-share', 'cpu-idle', 'cpuset-cpus', 'cpuset-mems'),
    ...all(value, 'memory', 'memory-reservation', 'memory-swap', 'pids-limit'),
  },
  events: { stats: flag, interval: value },
  spec: { bundle: { ...value, short: 'b' }, config: { ...value, short: 'f' }, rootless: flag },
  features: {},
} as const satisfies Record<string, ParseArgsOptionsConfig>;

export type VerbName = keyof typeof verbOptions;

type Parsed<O extends ParseArgsOptionsConfig> = ReturnType<typeof parseArgs<{ options: O }>>;

export type Options<V extends VerbName> = Parsed<(typeof verbOptions)[V]>['values'];

/** "--limit -1" is a value, too. */
function joined(options: ParseArgsOptionsConfig, argv: readonly string[]): string[] {
  const words: string[] = [];
  for (const word of argv) {
    const last = words.at(-1) ?? '';
    const takesIt = options[last.replace(/^--/, '')]?.type === 'string' && last.startsWith('--');
    if (takesIt && /^-\d/.test(word)) words.splice(-1, 1, `${last}=${word}`);
    else words.push(word);
  }
  return words;
}

/** What stands before the first word that is none of these options or their values, and the rest. Throws CommandError. */
export function parseLeading<O extends ParseArgsOptionsConfig>(
  options: O,
  argv: readonly string[],
): { readonly values: Parsed<O>['values']; readonly rest: readonly string[] } {
  const { tokens } = parseArgs({
    ...{ options, args: [...argv], strict: false },
    ...{ allowPositionals: true, tokens: true },
  });
  const first = tokens.find(({ kind }) => kind !== 'option');
  const at = first?.index ?? argv.length;
  try {
    const { values: parsed } = parseArgs({ options, args: argv.slice(0, at), strict: true });
    const rest = argv.slice(first?.kind === 'option-terminator' ? at + 1 : at);
    return { values: parsed as Parsed<O>['values'], rest };
  } catch (cause) {
    throw new CommandError((cause as Error).message, { cause });
  }
}

/** Options may stand among the words. Throws CommandError. */
export function parseAnywhere<O extends ParseArgsOptionsConfig>(
  options: O,
  argv: readonly string[],
): { readonly values: Parsed<O>['values']; readonly rest: readonly string[] } {
  try {
    const parsed = parseArgs({
      options,
      args: joined(options, argv),
      strict: true,
      allowPositionals: true,
    });
    return { values: parsed.values as Parsed<O>['values'], rest: parsed.positionals };
  } catch (cause) {
    throw new CommandError((cause as Error).message, { cause });
  }
}

/** Throws CommandError. */
export function wholeNumber(text: string, option: string): number {
  if (!/^-?\d{1,15}$/.test(text)) throw new CommandError(`--${option}: no number: "${text}"`);
  return Number(text);
}
