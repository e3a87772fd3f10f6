import type { CommanderError } from 'commander';
import { StatusError } from '../api/status.ts';
import { closestTo } from '../base/closest.ts';
import { errorChain } from '../base/error-chain.ts';
import { UsageError } from '../base/flags.ts';
import { openCli } from './cli.ts';
import { AlreadyTold } from './cli-error.ts';
import { flagsOf } from './define-verb.ts';
import { type Io, processIo } from './io.ts';
import { type Programs, splitVerb, verbCommand } from './verb-command.ts';
import { definitions, isVerb, type VerbName, verbs } from './verbs.ts';

/** `orc VERB …`. Gives the exit code: 0 done, 1 failed, 2 wrong usage. */
export async function runCli(argv: readonly string[], programs: Programs): Promise<number> {
  const io = processIo();
  try {
    return await run(argv, programs, io);
  } catch (error) {
    return tell(error, io);
  }
}

async function run(argv: readonly string[], programs: Programs, io: Io): Promise<number> {
  const { name, args } = splitVerb(argv);
  const [about] = args;
  if (name === undefined && about === '--version')
    return run(['version', '--client'], programs, io);
  if (name === 'help' && about !== undefined) return run([about, '--help'], programs, io);
  if (name === undefined || name === 'help') {
    io.stdout.write(formatVerbs(programs));
    return name === undefined && !args.some(isHelp) ? 2 : 0;
  }
  if (!isVerb(name)) throw unknownVerb(name, programs);
  return runVerb(name, args, io);
}

async function runVerb(name: VerbName, args: readonly string[], io: Io): Promise<number> {
  const command = await verbCommand(name);
  const writeOut = (text: string) => void io.stdout.write(text);
  command.configureOutput({ writeOut, outputError: () => {} });
  command.configureHelp({ helpWidth: Math.min(io.stdout.columns ?? 100, 100) });
  try {
    command.parse(args, { from: 'user' });
  } catch (error) {
    throw usageError(name, error as CommanderError);
  }
  const verb = await definitions[name]();
  const cli = openCli(io, command.opts());
  try {
    const code = await verb.run(cli, command.args, flagsOf(command, verb.flags ?? {}));
    return typeof code === 'number' ? code : 0;
  } catch (error) {
    return Math.max(tell(error, io), verb.failure ?? 1);
  } finally {
    cli.api.close();
  }
}

const isHelp = (word: string) => word === '-h' || word === '--help';

function unknownVerb(name: string, programs: Programs): UsageError {
  const nearest = closestTo(name, Object.keys({ ...verbs, ...programs }));
  const hint = nearest === undefined ? '' : `; did you mean "orc ${nearest}"?`;
  return new UsageError(
    `"${name}" is not something orc does${hint} (orc --help lists what it does)`,
  );
}

/** `orc --help`. */
function formatVerbs(programs: Programs): string {
  const lines = (of: Readonly<Record<string, { readonly about: string }>>) =>
    Object.entries(of).map(([name, { about }]) => `  ${name.padEnd(15)} ${about}`);
  return [
    'orc: containers on several hosts, as one',
    '',
    '  orc dev                                a cluster of three hosts on this machine, to try it',
    '  orc apply -f shop.yaml                 make the cluster as a file says',
    '',
    ...lines(verbs),
    '',
    ...lines(programs),
    '',
    '  orc VERB --help shows examples and flags.',
    '',
  ].join('\n');
}

/** One line on stderr, and the exit code. */
function tell(error: unknown, { stderr }: Io): number {
  if (error instanceof AlreadyTold) return error.exitCode;
  stderr.write(`orc: ${error instanceof StatusError ? error.message : errorChain(error)}\n`);
  return error instanceof UsageError ? 2 : 1;
}

/** Help that was asked for is no error; commander says it by an exception all the same. */
function usageError(verb: VerbName, { exitCode, message }: CommanderError): Error {
  if (exitCode === 0) return new AlreadyTold(0);
  const [first = '', ...more] = message.replace(/^error: /, '').split('\n');
  const hint = more.join(' ').replace(/^\((.*)\)$/, '; $1');
  return new UsageError(`${first}${hint} (orc ${verb} --help shows how)`);
}
