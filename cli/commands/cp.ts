import { stat } from 'node:fs/promises';
import { basename, join, posix, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { kinds } from '../../api/kinds.ts';
import { about } from '../../base/error-chain.ts';
import { UsageError } from '../../base/flags.ts';
import type { Cli } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { defineVerb } from '../define-verb.ts';
import { type ExecConnection, type ExecWanted, openExec } from '../exec-connection.ts';
import { isNamed } from '../kind-lookup.ts';
import { packTree } from '../pack-tree.ts';
import { containerFlag, pickContainer } from '../pods-of.ts';
import { unpackTree } from '../unpack-tree.ts';

export const defineCp = defineVerb({
  words: {
    '<from>': 'a path here, or POD:PATH (KIND/NAME:PATH)',
    '<to>': 'the other of the two; a directory, or the name of the copy; its container needs a tar',
  },
  flags: { container: containerFlag },
  async run(cli, [from = '', to = ''], { container }) {
    const [source, target] = [parsePlace(from), parsePlace(to)];
    if ((source.pod === undefined) === (target.pod === undefined))
      throw new UsageError('one of the two must be in a pod, POD:PATH, and the other here');
    const [place, pod] = placeOf(cli, source.pod ?? target.pod ?? '');
    const inPod = await pickContainer(place, pod, container);
    const there = { cli, ...inPod };
    if (source.pod === undefined) await copyIn(there, source.path, target.path);
    else await copyOut(there, source.path, target.path);
  },
});

/** "/tmp/x:y" and "./x:y" are here. */
function parsePlace(word: string): { readonly pod: string | undefined; readonly path: string } {
  const [, pod, path = ''] = /^([^/.:][^:]*):(.*)$/s.exec(word) ?? [];
  const place = { pod, path: pod === undefined ? word : path };
  if (place.path === '') throw new UsageError(`"${word}" names no path`);
  return place;
}

/** kubectl's NAMESPACE/POD is understood where it is no KIND/NAME. */
function placeOf(cli: Cli, word: string): readonly [cli: Cli, pod: string] {
  const [namespace = '', pod] = word.split('/');
  if (pod === undefined || kinds.some(isNamed(namespace))) return [cli, word];
  return [{ ...cli, namespace: async () => namespace }, pod];
}

interface There extends Awaited<ReturnType<typeof pickContainer>> {
  readonly cli: Cli;
}

async function copyIn(there: There, path: string, wanted: string): Promise<void> {
  await about(`${path} can't be read`, stat(path));
  const target = (await isDirectoryThere(there, wanted))
    ? posix.join(wanted, basename(resolve(path)))
    : posix.normalize(wanted);
  const skip = (what: string) => there.cli.err(`orc: ${what} is no file: not copied`);
  const input = packTree(path, posix.basename(target), skip);
  const command = ['tar', '-xmf', '-', '-C', posix.dirname(target)];
  await runThere(there, { command, stdin: true }, ({ stdin }) => pipeline(input, stdin));
}

async function copyOut(there: There, path: string, wanted: string): Promise<void> {
  const source = posix.normalize(path).replace(/(.)\/$/, '$1');
  const name = posix.basename(source) || '.';
  const found = await stat(wanted).catch(() => undefined);
  const target = found?.isDirectory() && name !== '.' ? join(wanted, name) : wanted;
  const skip = (what: string) => there.cli.err(`orc: ${what}`);
  const command = ['tar', '-cf', '-', '-C', posix.dirname(source), name];
  await runThere(there, { command }, ({ stdout }) => unpackTree(stdout, { name, target, skip }));
}

async function isDirectoryThere(there: There, path: string): Promise<boolean> {
  if (path.endsWith('/')) return true;
  const { cli, ...where } = there;
  const wanted = { ...where, command: ['test', '-d', path], ...quietly };
  const connection = await openExec(cli.api, wanted);
  // Where there is no `test`, it is a file until `tar` says otherwise.
  return (await connection.exited.catch(() => 1)) === 0;
}

const quietly = { stdin: false, output: true, tty: false };

type Run = Pick<ExecWanted, 'command'> & Partial<ExecWanted>;

/** To its end, and that of the transfer. Throws CliError with what it said when it fails. */
async function runThere(
  { cli, ...where }: There,
  run: Run,
  transfer: (connection: ExecConnection) => Promise<void>,
): Promise<void> {
  let said = '';
  const connection = await openExec(cli.api, { ...where, ...quietly, ...run });
  connection.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString().slice(0, maxSaid - said.length);
  });
  const tarEnds = async () => {
    const exitCode = await connection.exited.catch((cause: unknown) => {
      if (cause instanceof CliError) throw cause;
      throw new CliError(`container ${where.container} ran no tar, which orc cp needs`, { cause });
    });
    if (exitCode !== 0) throw new CliError(said.trim() || `tar ended with ${exitCode}`);
  };
  try {
    await Promise.all([tarEnds(), transfer(connection)]);
  } finally {
    connection.close();
  }
}

const maxSaid = 4_000;
