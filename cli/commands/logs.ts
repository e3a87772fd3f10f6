import { createInterface } from 'node:readline';
import { Pod } from '../../api/pod.ts';
import { UsageError } from '../../base/flags.ts';
import type { Cli, DefineVerb } from '../cli.ts';
import type { ApiClient, ApiRequest } from '../client.ts';
import { pickPod } from '../pods-of.ts';
import { parseDuration } from '../print/duration.ts';
import { listObjects, objectPath } from '../resources.ts';
import { parsePodTarget } from '../targets.ts';

export const defineLogs: DefineVerb = (command, act) => {
  command
    .argument('[pod]', 'a pod, or KIND/NAME of what has pods')
    .option('-c, --container <name>', 'which one (default: the first)')
    .option('-f, --follow', 'and go on with what comes, until Ctrl-C')
    .option('-l, --selector <labels>', 'of several pods, each line with its pod')
    .option('-p, --previous', 'of the run before the last restart')
    .option('--since <time>', 'no older than: 90s, 5m, 1h30m')
    .option('--tail <lines>', 'only the last lines (with -l: 10 unless said)')
    .option('--timestamps', 'with the time of each line')
    .action(act(logs));
};

interface LogFlags {
  readonly container?: string;
  readonly follow?: boolean;
  readonly selector?: string;
  readonly previous?: boolean;
  readonly since?: string;
  readonly tail?: string;
  readonly timestamps?: boolean;
}

async function logs(cli: Cli, [word]: readonly string[], flags: LogFlags): Promise<number> {
  const [client, namespace] = [await cli.client(), await cli.namespace()];
  if (flags.selector !== undefined) {
    if (word !== undefined) throw new UsageError('give a pod or -l, not both');
    return logsOfSeveral(cli, client, { namespace, flags, labelSelector: flags.selector });
  }
  if (word === undefined) throw new UsageError('say of what: a pod, deploy/NAME, or -l LABELS');
  const target = parsePodTarget(word);
  const pod = await pickPod(client, { ...target, namespace });
  if (target.kind.kind !== Pod.kind && cli.io.stderr.isTTY)
    cli.err(`of pod ${pod.metadata.name}; for all of them use -l`);
  const response = await client.open(logRequest(pod, flags));
  for await (const chunk of response) cli.io.stdout.write(chunk as Buffer);
  return 0;
}

const tailOfSeveral = '10';

async function logsOfSeveral(
  cli: Cli,
  client: ApiClient,
  wanted: { namespace: string; labelSelector: string; flags: LogFlags },
): Promise<number> {
  const { namespace, labelSelector, flags } = wanted;
  const pods = (await listObjects<Pod>(client, { kind: Pod, namespace, labelSelector })).items;
  if (pods.length === 0) cli.err(`no pods match ${labelSelector} in namespace ${namespace}`);
  const print = async (pod: Pod) => {
    const request = logRequest(pod, { tail: tailOfSeveral, ...flags });
    const lines = createInterface({ input: await client.open(request) });
    for await (const line of lines) cli.out(`${pod.metadata.name}  ${line}`);
  };
  if (flags.follow) await Promise.all(pods.map(print));
  else for (const pod of pods) await print(pod);
  return 0;
}

function logRequest(pod: Pod, flags: LogFlags): ApiRequest {
  const { namespace = '', name } = pod.metadata;
  const { tail, since, container, follow, previous, timestamps } = flags;
  if (tail !== undefined && !/^\d+$/.test(tail))
    throw new UsageError(`--tail must be a number of lines, not "${tail}"`);
  const sinceMs = since === undefined ? undefined : parseDuration('--since', since);
  const sinceSeconds = sinceMs === undefined ? undefined : Math.max(1, Math.ceil(sinceMs / 1000));
  const query = { container, follow, previous, timestamps, tailLines: tail, sinceSeconds };
  return { path: objectPath({ kind: Pod, namespace, name }, 'log'), query };
}
