import { formatValue } from '../../api/json-path.ts';
import type { AnyObject, Kind } from '../../api/kind.ts';
import type { StoredMeta } from '../../api/object-meta.ts';
import { on, text, UsageError, type ValuesOf } from '../../base/flags.ts';
import type { Cli } from '../cli.ts';
import { defineVerb } from '../define-verb.ts';
import { titleOf } from '../kind-lookup.ts';
import { watchObjects } from '../live-list.ts';
import { type Found, openPrinter, type Printer, tableOutputFlag } from '../print/output.ts';
import { printTable, startTable, type TextTable } from '../print/table.ts';
import * as resources from '../resources.ts';
import { parseTargets, type Target } from '../targets.ts';

const getFlags = {
  'all-namespaces': on('of every namespace').short('A'),
  selector: text('labels', 'only those: app=web,tier!=test').short('l'),
  'field-selector': text('fields', 'only those: status.phase=Running'),
  output: tableOutputFlag,
  'no-headers': on('rows only'),
  watch: on('and then every change, until Ctrl-C').short('w'),
};

export const defineGet = defineVerb({
  words: { '<what...>': 'pods · pods,svc · all · deploy web · deploy/web svc/web' },
  flags: getFlags,
  async run(cli, words, flags) {
    const print = await openPrinter(flags.output, !flags.noHeaders);
    const namespace = flags.allNamespaces ? '' : await cli.namespace();
    const isSelected = (flags.selector ?? flags.fieldSelector) !== undefined;
    const targets = await parseTargets(cli.api, words, isSelected);
    const queries = queriesOf(targets, namespace, flags);
    if (queries.some(({ names }) => names.length > 0) && flags.allNamespaces)
      throw new UsageError('a name is unique within its namespace only: give -n instead of -A');
    if (flags.watch && queries.length !== 1) throw new UsageError('-w watches one kind at a time');
    if (print === undefined) return printTables(cli, queries, flags);
    if (flags.watch) return followObjects(cli, queries, { print, output: flags.output });
    const isOne = queries.length === 1 && queries[0]?.names.length === 1;
    const found = await Promise.all(queries.map((query) => fetchObjects(cli, query)));
    cli.io.stdout.write(await print(found.flat(), isOne));
  },
});

type GetFlags = ValuesOf<typeof getFlags>;

/** All of one kind, or some by name. */
type GetQuery = Readonly<{ selection: resources.Selection; names: readonly string[] }>;

function queriesOf(targets: readonly Target[], namespace: string, flags: GetFlags) {
  const byKind = Map.groupBy(targets, ({ kind }) => kind);
  return [...byKind].map(([kind, ofKind]) => ({
    selection: {
      ...{ kind, labelSelector: flags.selector, fieldSelector: flags.fieldSelector },
      namespace: kind.namespaced ? namespace : '',
    },
    names: ofKind.flatMap(({ name }) => name ?? []),
  }));
}

async function fetchObjects({ api }: Cli, { selection, names }: GetQuery) {
  const objects =
    names.length === 0
      ? (await api.list(selection)).items
      : await Promise.all(names.map((name) => api.get({ ...selection, name })));
  return objects.map((object): Found => ({ kind: selection.kind, object }));
}

type Printing = Readonly<{ print: Printer; output: string | undefined }>;

/** Those that are there come as the watch's first events. */
async function followObjects({ api, io }: Cli, [query]: readonly GetQuery[], how: Printing) {
  if (query === undefined) return;
  const { kind } = query.selection;
  const start = how.output === 'yaml' ? '---\n' : '';
  const fromNow = { resourceVersion: '' };
  for await (const { object } of watchObjects<AnyObject>(api, watched(query), fromNow))
    io.stdout.write(start + (await how.print([{ kind, object }], true)));
}

/** A watch is of one object, or of all that are selected. */
function watched({ selection, names }: GetQuery): resources.Selection {
  const [name, ...others] = names;
  if (others.length > 0) throw new UsageError('-w watches one object, or all of a kind');
  return name === undefined ? selection : resources.justThis({ ...selection, name });
}

async function printTables(cli: Cli, queries: readonly GetQuery[], flags: GetFlags) {
  const found = await Promise.all(
    queries.map(async (query): Promise<Shown> => {
      const { kind } = query.selection;
      const view = {
        ...{ kind, wide: flags.output === 'wide', withKind: queries.length > 1 },
        withNamespace: flags.allNamespaces && kind.namespaced,
      };
      return { query, view, table: await fetchTable(cli.api, query) };
    }),
  );
  const filled = found.filter(({ table }) => table.rows.length > 0);
  if (filled.length === 0) tellNothing(cli, queries);
  const [only] = found;
  if (flags.watch && only) return followTable(cli, only, flags);
  for (const [index, { table, view }] of filled.entries()) {
    if (index > 0) cli.out('');
    printTable(cli, textTable(table, view), !flags.noHeaders);
  }
}

type Shown = Readonly<{ query: GetQuery; view: TableView; table: ServerTable }>;

function tellNothing(cli: Cli, queries: readonly GetQuery[]): void {
  const plurals = queries.map(({ selection }) => selection.kind.plural);
  const what = plurals.length > 2 ? 'objects' : plurals.join(' or ');
  const namespaced = queries.find(({ selection }) => selection.kind.namespaced)?.selection;
  const matching = queries[0]?.selection.labelSelector ? ' that match' : '';
  const where = namespaced?.namespace ? ` in namespace ${namespaced.namespace}` : '';
  cli.err(`no ${what}${matching}${where}`);
}

/** Objects that were named come one by one. */
async function fetchTable(api: resources.Api, { selection, names }: GetQuery) {
  const requests =
    names.length === 0
      ? [{ path: resources.collectionPath(selection), query: resources.selectorsOf(selection) }]
      : names.map((name) => ({ path: resources.objectPath({ ...selection, name }) }));
  const replies = await Promise.all(
    requests.map((request) => api.send<ServerTable>({ ...request, accept: tableType })),
  );
  const tables = replies.map(({ body }) => body);
  return tables.reduce((all, { rows }) => ({ ...all, rows: [...all.rows, ...rows] }));
}

/** And then one line for each change. */
async function followTable(cli: Cli, { query, view, table }: Shown, { noHeaders }: GetFlags) {
  const print = startTable(cli, textTable(table, view), !noHeaders);
  const start = { resourceVersion: table.metadata.resourceVersion, accept: tableType };
  for await (const { object } of watchObjects<ServerTable>(cli.api, watched(query), start))
    print(textTable({ ...table, rows: object.rows }, view).rows);
}

/** meta.k8s.io/v1 Table: the server knows what is worth showing of each kind. */
interface ServerTable {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly columnDefinitions: readonly { readonly name: string; readonly priority: number }[];
  readonly rows: readonly ServerRow[];
}

type ServerRow = Readonly<{ cells: readonly unknown[]; object: { readonly metadata: StoredMeta } }>;

const tableType = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

interface TableView {
  readonly kind: Kind;
  readonly wide: boolean;
  readonly withNamespace: boolean;
  /** "pod/web" for "web": for tables of several kinds. */
  readonly withKind: boolean;
}

/** Pure. `columns` as the server named them: a watch names them once only. */
function textTable({ columnDefinitions, rows }: ServerTable, view: TableView): TextTable {
  const shown = columnDefinitions
    .map(({ name, priority }, index) => ({ name, priority, index }))
    .filter(({ priority }) => view.wide || priority === 0);
  const headers = shown.map(({ name }) => name.toUpperCase());
  const nameAt = shown.findIndex(({ name }) => name.toLowerCase() === 'name');
  return {
    headers: view.withNamespace ? ['NAMESPACE', ...headers] : headers,
    rows: rows.map(({ cells, object }) => {
      const words = shown.map(({ index }) => formatValue(cells[index] ?? ''));
      if (view.withKind && nameAt >= 0)
        words[nameAt] = titleOf({ kind: view.kind, name: words[nameAt] ?? '' });
      return view.withNamespace ? [object.metadata.namespace ?? '', ...words] : words;
    }),
  };
}
