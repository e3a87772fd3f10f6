import { createInterface } from 'node:readline';
import { Pod } from '../../api/pod.ts';
import { errorChain } from '../../base/error-chain.ts';
import { UsageError } from '../../base/flags.ts';
import type { Cli, DefineVerb } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { mapLimited } from '../limited.ts';
import { containerNamed, containersOf, firstContainer, podsOf } from '../pods-of.ts';
import { parseDuration } from '../print/duration.ts';
import { getObject, listObjects, objectPath } from '../resources.ts';
import { parsePodTarget } from '../targets.ts';

export const defineLogs: DefineVerb = (command, act) => {
  command
    .argument('[pod]', 'a pod, or KIND/NAME of what has pods: all of them')
    .option('-c, --container <name>', 'which one (default: the first)')
    .option('--all-containers', 'of the pod, init containers too')
    .option('-f, --follow', 'and go on with what comes, until Ctrl-C')
    .option('-l, --selector <labels>', 'of the pods with these labels')
    .option('-p, --previous', 'of the run before the last restart')
    .option('--since <time>', 'no older than: 90s, 5m, 1h30m')
    .option('--since-time <time>', 'no older than: 2026-01-31T12:00:00Z')
    .option('--tail <lines>', 'only the last lines (with -l: 10 unless said)')
    .option('--limit-bytes <bytes>', 'no more than that of each')
    .option('--timestamps', 'with the time of each line')
    .action(act(logs));
};

interface LogFlags {
  readonly container?: string;
  readonly allContainers?: boolean;
  readonly follow?: boolean;
  readonly selector?: string;
  readonly previous?: boolean;
  readonly since?: string;
  readonly sinceTime?: string;
  readonly tail?: string;
  readonly limitBytes?: string;
  readonly timestamps?: boolean;
}

/** So many logs are read at once. */
const maxFollowed = 50;
const tailOfSelected = '10';

async function logs(cli: Cli, [word]: readonly string[], flags: LogFlags): Promise<number> {
  const query = logQuery(flags);
  const sources = await sourcesOf(cli, word, flags);
  const { follow = false } = flags;
  if (follow && sources.length > maxFollowed)
    throw new CliError(
      `${sources.length} containers can't be followed at once, ${maxFollowed} can: name fewer`,
    );
  const [only] = sources;
  if (only && sources.length === 1) {
    await printLog(cli, only, query);
    return 0;
  }
  const outcomes = await mapLimited(sources, follow ? maxFollowed : 1, async (source) => {
    try {
      await printLines(cli, source, query);
      return true;
    } catch (error) {
      cli.err(`orc: ${labelOf(source)} ${errorChain(error)}`);
      return false;
    }
  });
  return outcomes.every((isRead) => isRead) ? 0 : 1;
}

interface Source {
  readonly pod: Pod;
  readonly container: string;
}

async function sourcesOf(
  cli: Cli,
  word: string | undefined,
  { selector, container, allContainers }: LogFlags,
): Promise<readonly Source[]> {
  if (word !== undefined && selector !== undefined)
    throw new UsageError('give a pod or -l, not both');
  const pods = await podsMeant(cli, word, selector);
  return pods.flatMap((pod) => {
    if (allContainers) return containersOf(pod).map(({ name }) => ({ pod, container: name }));
    const name = container === undefined ? firstContainer(pod) : containerNamed(pod, container);
    return [{ pod, container: name }];
  });
}

async function podsMeant(
  cli: Cli,
  word: string | undefined,
  labelSelector: string | undefined,
): Promise<readonly Pod[]> {
  const [client, namespace] = [await cli.client(), await cli.namespace()];
  if (labelSelector !== undefined) {
    const { items } = await listObjects<Pod>(client, { kind: Pod, namespace, labelSelector });
    if (items.length === 0) cli.err(`no pods match ${labelSelector} in namespace ${namespace}`);
    return items;
  }
  if (word === undefined) throw new UsageError('say of what: a pod, deploy/NAME, or -l LABELS');
  const ref = { ...parsePodTarget(word), namespace };
  if (ref.kind.kind === Pod.kind) return [await getObject<Pod>(client, ref)];
  const pods = await podsOf(client, ref);
  if (pods.length === 0) cli.err(`${ref.kind.singular}/${ref.name} has no pods`);
  return pods;
}

type LogQuery = ReturnType<typeof logQuery>;

function logQuery(flags: LogFlags) {
  const { selector, follow, previous, timestamps, since, sinceTime = '' } = flags;
  const tailLines = flags.tail ?? (selector === undefined ? undefined : tailOfSelected);
  const { limitBytes } = flags;
  for (const [flag, value] of Object.entries({ tail: tailLines, 'limit-bytes': limitBytes }))
    if (value !== undefined && !/^\d+$/.test(value))
      throw new UsageError(`--${flag} must be a number, not "${value}"`);
  if (sinceTime !== '' && Number.isNaN(Date.parse(sinceTime)))
    throw new UsageError(`--since-time must be like 2026-01-31T12:00:00Z, not "${sinceTime}"`);
  if (sinceTime !== '' && since !== undefined)
    throw new UsageError('give --since or --since-time, not both');
  const sinceMs = since === undefined ? undefined : parseDuration('--since', since);
  const sinceSeconds = sinceMs === undefined ? undefined : Math.max(1, Math.ceil(sinceMs / 1000));
  return { follow, previous, timestamps, tailLines, sinceSeconds, sinceTime, limitBytes };
}

async function openLog(cli: Cli, { pod, container }: Source, query: LogQuery) {
  const { name, namespace = '' } = pod.metadata;
  const path = objectPath({ kind: Pod, namespace, name }, 'log');
  return (await cli.client()).open({ path, query: { ...query, container } });
}

/** As it is, byte for byte. */
async function printLog(cli: Cli, source: Source, query: LogQuery): Promise<void> {
  for await (const chunk of await openLog(cli, source, query)) cli.io.stdout.write(chunk as Buffer);
}

const labelOf = ({ pod, container }: Source) => `[pod/${pod.metadata.name}/${container}]`;

async function printLines(cli: Cli, source: Source, query: LogQuery): Promise<void> {
  const lines = createInterface({ input: await openLog(cli, source, query) });
  for await (const line of lines) cli.out(`${labelOf(source)} ${line}`);
}
