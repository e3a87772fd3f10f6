import type { AnyObject, Kind } from '../../api/kind.ts';
import { apiVersionOf } from '../../api/kind.ts';
import { on, oneOf, text, UsageError, type ValuesOf } from '../../base/flags.ts';
import type { Cli } from '../cli.ts';
import type { ApiClient } from '../client.ts';
import { defineVerb } from '../define-verb.ts';
import { resultName } from '../kind-lookup.ts';
import { watchObjects } from '../live-list.ts';
import { layoutOf } from '../print/layout.ts';
import { columnWidths, formatTable, linesOf } from '../print/table.ts';
import {
  collectionPath,
  getObject,
  listObjects,
  objectPath,
  type Selection,
  selectorsOf,
} from '../resources.ts';
import { type ServerTable, type TableView, tableType, textTable } from '../server-table.ts';
import { parseTargets, type Target } from '../targets.ts';

const getFlags = {
  'all-namespaces': on('of every namespace').short('A'),
  selector: text('labels', 'only those: app=web,tier!=test').short('l'),
  'field-selector': text('fields', 'only those: status.phase=Running'),
  output: oneOf('format', ['wide', 'name', 'yaml', 'json']).short('o'),
  'no-headers': on('rows only'),
  watch: on('and then every change, until Ctrl-C').short('w'),
};

export const defineGet = defineVerb({
  words: { '<what...>': 'pods · pods,svc · all · deploy web · deploy/web svc/web' },
  flags: getFlags,
  async run(cli, words, flags) {
    const { output } = flags;
    const namespace = flags.allNamespaces ? '' : await cli.namespace();
    const queries = queriesOf(parseTargets(words), namespace, flags);
    if (queries.some(({ names }) => names.length > 0) && flags.allNamespaces)
      throw new UsageError('a name is unique within its namespace only: give -n instead of -A');
    if (output === 'yaml' || output === 'json' || output === 'name')
      return printObjects(cli, queries, output);
    return printTables(cli, queries, flags);
  },
});

type GetFlags = ValuesOf<typeof getFlags>;

/** All of one kind, or some by name. */
interface GetQuery {
  readonly selection: Selection;
  readonly names: readonly string[];
}

function queriesOf(
  targets: readonly Target[],
  namespace: string,
  { selector, fieldSelector }: GetFlags,
): readonly GetQuery[] {
  const byKind = Map.groupBy(targets, ({ kind }) => kind);
  return [...byKind].map(([kind, ofKind]) => ({
    selection: {
      ...{ kind, labelSelector: selector, fieldSelector },
      namespace: kind.namespaced ? namespace : '',
    },
    names: ofKind.flatMap(({ name }) => name ?? []),
  }));
}

async function printObjects(
  cli: Cli,
  queries: readonly GetQuery[],
  output: 'yaml' | 'json' | 'name',
): Promise<number> {
  const client = await cli.client();
  const found = (await Promise.all(queries.map((query) => fetchObjects(client, query)))).flat();
  if (output === 'name') {
    for (const { kind, object } of found) cli.out(`${resultName(kind)}/${object.metadata.name}`);
    return 0;
  }
  const isOne = queries.length === 1 && queries[0]?.names.length === 1;
  const objects = found.map(({ kind, object }) => typed(kind, object));
  const list = { apiVersion: 'v1', kind: 'List', metadata: {}, items: objects };
  const { formatObject } = await import('../print/object.ts');
  cli.io.stdout.write(formatObject(isOne ? objects[0] : list, output));
  return 0;
}

/** Items of a list may come without their type. */
const typed = (kind: Kind, object: AnyObject): AnyObject => ({
  ...object,
  apiVersion: apiVersionOf(kind),
  kind: kind.kind,
});

async function fetchObjects(client: ApiClient, { selection, names }: GetQuery) {
  const { kind } = selection;
  const objects =
    names.length === 0
      ? (await listObjects(client, selection)).items
      : await Promise.all(names.map((name) => getObject(client, { ...selection, name })));
  return objects.map((object) => ({ kind, object }));
}

async function printTables(
  cli: Cli,
  queries: readonly GetQuery[],
  flags: GetFlags,
): Promise<number> {
  const client = await cli.client();
  const [only, ...others] = queries;
  if (flags.watch && (only === undefined || others.length > 0))
    throw new UsageError('-w watches one kind at a time');
  const tables = await Promise.all(queries.map((query) => fetchTable(client, query)));
  const layout = layoutOf(cli.io, !flags.noHeaders);
  const shown = queries.flatMap(({ selection }, i) => {
    const table = tables[i];
    const view = viewOf(selection, flags, others.length > 0);
    return table === undefined || table.rows.length === 0 ? [] : [textTable(table, view)];
  });
  const blocks = shown.map((table) => formatTable(table, layout).join('\n'));
  if (blocks.length > 0) cli.out(blocks.join('\n\n'));
  else tellNothing(cli, queries);
  if (flags.watch && only !== undefined && tables[0] !== undefined)
    await followTable(cli, only, { first: tables[0], view: viewOf(only.selection, flags, false) });
  return 0;
}

const viewOf = (
  { kind }: Selection,
  { output, allNamespaces }: GetFlags,
  withKind: boolean,
): TableView => ({
  ...{ kind, withKind, wide: output === 'wide' },
  withNamespace: allNamespaces && kind.namespaced,
});

function tellNothing(cli: Cli, queries: readonly GetQuery[]): void {
  const plurals = queries.map(({ selection }) => selection.kind.plural);
  const what = plurals.length > 2 ? 'objects' : plurals.join(' or ');
  const namespaced = queries.find(({ selection }) => selection.kind.namespaced)?.selection;
  const matching = queries[0]?.selection.labelSelector ? ' that match' : '';
  const where = namespaced?.namespace ? ` in namespace ${namespaced.namespace}` : '';
  cli.err(`no ${what}${matching}${where}`);
}

async function fetchTable(client: ApiClient, query: GetQuery): Promise<ServerTable> {
  const { selection, names } = query;
  const fetched = async (path: string, query = {}) =>
    (await client.send<ServerTable>({ path, query, accept: tableType })).body;
  if (names.length === 0) return fetched(collectionPath(selection), selectorsOf(selection));
  const tables = await Promise.all(
    names.map((name) => fetched(objectPath({ ...selection, name }))),
  );
  const [first] = tables;
  if (first === undefined) throw new UsageError('say which one');
  return { ...first, rows: tables.flatMap(({ rows }) => rows) };
}

/** One line for each change, under the headers that are there already. */
async function followTable(
  cli: Cli,
  { selection, names }: GetQuery,
  { first, view }: { first: ServerTable; view: TableView },
): Promise<void> {
  const { columnDefinitions } = first;
  const layout = { ...layoutOf(cli.io), width: undefined, showHeaders: false };
  const widths = columnWidths(textTable(first, view));
  const client = await cli.client();
  const wanted =
    names.length === 1 ? { ...selection, fieldSelector: `metadata.name=${names[0]}` } : selection;
  const start = { resourceVersion: first.metadata.resourceVersion, accept: tableType };
  for await (const { object } of watchObjects<ServerTable>(client, wanted, start)) {
    const table = textTable({ columnDefinitions, rows: object.rows }, view);
    for (const line of linesOf(table, widths, layout)) cli.out(line);
  }
}
