import type { AnyObject } from '../../api/kind.ts';
import { Node } from '../../api/node.ts';
import type { PodRequests } from '../../api/pod-facts.ts';
import { milliOf, wholeOf } from '../../api/quantity.ts';
import { NodeMetrics, PodMetrics } from '../../api/resource-metrics.ts';
import { on, oneOf, text, UsageError, type ValuesOf } from '../../base/flags.ts';
import type { Cli } from '../cli.ts';
import { defineVerb } from '../define-verb.ts';
import { printTable } from '../print/table.ts';
import type { Api, Selection } from '../resources.ts';
import { namesOrSelection } from '../targets.ts';

const topFlags = {
  'all-namespaces': on('pods of every namespace').short('A'),
  selector: text('selector', 'by label').short('l'),
  containers: on('each container of a pod by itself'),
  'sort-by': oneOf('what', ['cpu', 'memory']),
  'no-headers': on('without the first line'),
};

export const defineTop = defineVerb({
  words: { '[what]': 'pods or nodes; without it both', '[name]': 'only this one' },
  flags: topFlags,
  async run(cli, words, flags) {
    const [what = 'both', name] = words;
    const wantsNodes = /^(nodes?|no|both)$/.test(what);
    const wantsPods = /^(pods?|po|both)$/.test(what);
    if (!wantsNodes && !wantsPods)
      throw new UsageError(`orc top knows pods and nodes, not "${what}"`);
    if (name !== undefined && flags.selector !== undefined) throw new UsageError(namesOrSelection);
    const tables = [
      ...(wantsNodes ? [await nodesUse(cli, name, flags)] : []),
      ...(wantsPods ? [await podsUse(cli, name, flags)] : []),
    ].filter(({ rows }) => rows.length > 0);
    if (tables.length === 0) cli.err('nothing has been measured yet; nodes tell every 10 seconds');
    for (const [index, table] of tables.entries()) {
      if (index > 0) cli.out('');
      print(cli, table, flags);
    }
  },
});

type TopFlags = ValuesOf<typeof topFlags>;

/** Each row says what it is about, what that uses, and of how much. */
interface Measured {
  readonly titles: readonly string[];
  readonly rows: readonly ({
    readonly names: readonly string[];
    readonly of?: PodRequests;
  } & PodRequests)[];
}

/** One that isn't there is an error, as in Kubernetes. */
async function found<T extends AnyObject>(api: Api, selection: Selection, name?: string) {
  if (name !== undefined) return [await api.get<T>({ ...selection, name })];
  return (await api.list<T>(selection)).items;
}

async function nodesUse(cli: Cli, name: string | undefined, flags: TopFlags): Promise<Measured> {
  const selection = { namespace: '', labelSelector: flags.selector };
  const [measured, nodes] = await Promise.all([
    found<NodeMetrics>(cli.api, { kind: NodeMetrics, ...selection }, name),
    found<Node>(cli.api, { kind: Node, ...selection }, name),
  ]);
  const sizes = new Map(nodes.map((node) => [node.metadata.name, node.status.allocatable]));
  const rows = measured.map(({ metadata, usage }) => ({
    names: [metadata.name],
    ...amountsOf([usage]),
    of: amountsOf([sizes.get(metadata.name) ?? {}]),
  }));
  return { titles: ['NAME'], rows };
}

async function podsUse(cli: Cli, name: string | undefined, flags: TopFlags): Promise<Measured> {
  const { allNamespaces, containers: each } = flags;
  const namespace = allNamespaces ? '' : await cli.namespace();
  const selection = { kind: PodMetrics, namespace, labelSelector: flags.selector };
  const pods = await found<PodMetrics>(cli.api, selection, name);
  const rows = pods.flatMap(({ metadata, containers }) => {
    const names = [...(allNamespaces ? [metadata.namespace ?? ''] : []), metadata.name];
    return each
      ? containers.map((one) => ({ names: [...names, one.name], ...amountsOf([one.usage]) }))
      : [{ names, ...amountsOf(containers.map(({ usage }) => usage)) }];
  });
  const place = allNamespaces ? ['NAMESPACE'] : [];
  return { titles: [...place, ...(each ? ['POD'] : []), 'NAME'], rows };
}

function amountsOf(usages: readonly Readonly<Record<string, string>>[]): PodRequests {
  const sum = (read: (usage: Readonly<Record<string, string>>) => number) =>
    usages.map(read).reduce((total, one) => total + one, 0);
  return {
    cpuMilli: sum(({ cpu = '0' }) => milliOf(cpu)),
    memoryBytes: sum(({ memory = '0' }) => wholeOf(memory)),
  };
}

/** As kubectl: cores in thousandths, memory in MiB. */
function print(cli: Cli, { titles, rows }: Measured, { sortBy, noHeaders }: TopFlags) {
  const share = (part: number, whole = 0) =>
    whole > 0 ? `${Math.floor((100 * part) / whole)}%` : '';
  const isNode = rows[0]?.of !== undefined;
  const percent = (...cells: readonly string[]) => (isNode ? cells : []);
  const headers = [
    ...[...titles, 'CPU(cores)', ...percent('CPU(%)')],
    ...['MEMORY(bytes)', ...percent('MEMORY(%)')],
  ];
  const key = sortBy === 'cpu' ? 'cpuMilli' : 'memoryBytes';
  const sorted = sortBy ? rows.toSorted((a, b) => b[key] - a[key]) : rows;
  const cells = sorted.map(({ names, cpuMilli, memoryBytes, of }) => [
    ...[...names, `${cpuMilli}m`, ...percent(share(cpuMilli, of?.cpuMilli))],
    ...[`${Math.floor(memoryBytes / 2 ** 20)}Mi`, ...percent(share(memoryBytes, of?.memoryBytes))],
  ]);
  printTable(cli, { headers, rows: cells }, !noHeaders);
}
