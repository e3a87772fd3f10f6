import { Pod } from '../../api/pod.ts';
import { isPodFinished } from '../../api/pod-facts.ts';
import { errorChain } from '../../base/error-chain.ts';
import { on, text, UsageError, type ValuesOf } from '../../base/flags.ts';
import type { Cli } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { defineVerb } from '../define-verb.ts';
import { liveList } from '../live-list.ts';
import { containerFlag, containerOf, containersOf, podRef, podSelection } from '../pods-of.ts';
import { parseDuration } from '../print/duration.ts';
import { objectPath, type Selection } from '../resources.ts';
import { refWithPods } from '../targets.ts';

const logFlags = {
  container: containerFlag,
  'all-containers': on('of the pod, init containers too'),
  follow: on('and go on with what comes, until Ctrl-C').short('f'),
  selector: text('labels', 'of the pods with these labels').short('l'),
  previous: on('of the run before the last restart').short('p'),
  since: text('time', 'no older than: 90s, 5m, 1h30m').parsed(parseDuration),
  'since-time': text('time', 'no older than: 2026-01-31T12:00:00Z').parsed(timestamp),
  tail: text('lines', 'only the last lines (with -l: 10 unless said)').whole(),
  'limit-bytes': text('bytes', 'no more than that of each').whole(),
  timestamps: on('with the time of each line'),
};

export const defineLogs = defineVerb({
  words: { '[pod]': 'a pod, or KIND/NAME of what has pods: all of them' },
  flags: logFlags,
  run: logs,
});

type LogFlags = ValuesOf<typeof logFlags>;

/** So many logs are read at once. */
const maxFollowed = 50;
const tailOfSelected = 10;

async function logs(cli: Cli, [word]: readonly string[], flags: LogFlags) {
  const query = logQuery(flags);
  const meant = await podsMeant(cli, word, flags.selector);
  if ('selection' in meant && flags.follow) return followAll(cli, meant.selection, flags);
  const sources = (await podsNow(cli, meant)).flatMap((pod) => sourcesIn(pod, flags));
  const [only, ...others] = sources;
  if (only && others.length === 0) return printLog(cli, only, query);
  const print = (source: Source) => printLines(cli, source, query);
  const outcomes = await (flags.follow
    ? Promise.all(sources.map(print))
    : Array.fromAsync(sources, print));
  return outcomes.every((isRead) => isRead) ? 0 : 1;
}

type Meant = { readonly pod: Pod } | { readonly selection: Selection; readonly named: string };

async function podsMeant(cli: Cli, word: string | undefined, labelSelector: string | undefined) {
  if (word !== undefined && labelSelector !== undefined)
    throw new UsageError('give a pod or -l, not both');
  const namespace = await cli.namespace();
  if (labelSelector !== undefined)
    return { selection: { kind: Pod, namespace, labelSelector }, named: labelSelector };
  if (word === undefined) throw new UsageError('say of what: a pod, deploy/NAME, or -l LABELS');
  const ref = await refWithPods(cli, word);
  if (ref.kind === Pod) return { pod: await cli.api.get<Pod>(ref) };
  return { selection: await podSelection(cli.api, ref), named: `${ref.kind.singular}/${ref.name}` };
}

async function podsNow(cli: Cli, meant: Meant): Promise<readonly Pod[]> {
  if ('pod' in meant) return [meant.pod];
  const { items } = await cli.api.list<Pod>(meant.selection);
  if (items.length === 0)
    cli.err(`no pods of ${meant.named} in namespace ${await cli.namespace()}`);
  return items;
}

type Source = Readonly<{ pod: Pod; container: string }>;

function sourcesIn(pod: Pod, { container, allContainers }: LogFlags): readonly Source[] {
  if (allContainers) return containersOf(pod).map(({ name }) => ({ pod, container: name }));
  return [{ pod, container: containerOf(pod, container) }];
}

/** Also of pods and attempts that are yet to come; until Ctrl-C, or until all the pods have ended. */
async function followAll(cli: Cli, selection: Selection, flags: LogFlags): Promise<number> {
  const followed = new Map<string, Promise<boolean>>();
  let query = logQuery(flags);
  for await (const pods of liveList<Pod>(cli.api, selection)) {
    const sources = pods.flatMap((pod) => sourcesIn(pod, flags));
    if (sources.length > maxFollowed)
      throw new CliError(
        `${sources.length} containers can't be followed at once, ${maxFollowed} can: name fewer`,
      );
    for (const source of sources) {
      const id = attemptOf(source);
      if (id !== '' && !followed.has(id)) followed.set(id, printLines(cli, source, query));
    }
    query = { ...query, tailLines: undefined };
    if (pods.length > 0 && pods.every(isPodFinished)) break;
  }
  return (await Promise.all(followed.values())).every((isRead) => isRead) ? 0 : 1;
}

/** "": it hasn't started yet. */
function attemptOf({ pod: { status }, container }: Source): string {
  const { containerStatuses, initContainerStatuses, ephemeralContainerStatuses } = status;
  const groups = [containerStatuses, initContainerStatuses, ephemeralContainerStatuses];
  const all = groups.flatMap((statuses) => statuses ?? []);
  const { state, containerID = '' } = all.find(({ name }) => name === container) ?? {};
  return state?.running || state?.terminated ? containerID : '';
}

type LogQuery = ReturnType<typeof logQuery>;

function logQuery(flags: LogFlags) {
  const { selector, follow, previous, timestamps, since, sinceTime, limitBytes } = flags;
  if (sinceTime !== undefined && since !== undefined)
    throw new UsageError('give --since or --since-time, not both');
  const tailLines = flags.tail ?? (selector === undefined ? undefined : tailOfSelected);
  const sinceSeconds = since === undefined ? undefined : Math.max(1, Math.ceil(since / 1000));
  return { follow, previous, timestamps, tailLines, sinceSeconds, sinceTime, limitBytes };
}

function timestamp(text: string, flag: string): string {
  if (!Number.isNaN(Date.parse(text))) return text;
  throw new UsageError(`--${flag} must be like 2026-01-31T12:00:00Z, not "${text}"`);
}

const requestFor = ({ pod, container }: Source, query: LogQuery) => ({
  path: objectPath(podRef(pod), 'log'),
  query: { ...query, container },
});

/** As it is, byte for byte. */
async function printLog(cli: Cli, source: Source, query: LogQuery): Promise<void> {
  const log = await cli.api.open(requestFor(source, query));
  for await (const chunk of log) cli.io.stdout.write(chunk as Buffer);
}

const labelOf = ({ pod, container }: Source) => `[pod/${pod.metadata.name}/${container}]`;

/** Gives whether that went well. */
async function printLines(cli: Cli, source: Source, query: LogQuery): Promise<boolean> {
  try {
    for await (const line of cli.api.lines(requestFor(source, query)))
      cli.out(`${labelOf(source)} ${line}`);
    return true;
  } catch (error) {
    cli.err(`orc: ${labelOf(source)} ${errorChain(error)}`);
    return false;
  }
}
