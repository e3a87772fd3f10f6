import type { Kind } from '../api/kind.ts';
import type { StoredMeta } from '../api/object-meta.ts';
import { resultName } from './kind-lookup.ts';
import type { TextTable } from './print/table.ts';

/** meta.k8s.io/v1 Table: the server knows what is worth showing of each kind. */
export interface ServerTable {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly columnDefinitions: readonly { readonly name: string; readonly priority: number }[];
  readonly rows: readonly ServerRow[];
}

interface ServerRow {
  readonly cells: readonly unknown[];
  readonly object: { readonly metadata: StoredMeta };
}

export const tableType = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

export interface TableView {
  readonly kind: Kind;
  readonly wide: boolean;
  readonly withNamespace: boolean;
  /** "pod/web" for "web": for tables of several kinds. */
  readonly withKind: boolean;
}

/** Pure. `columns` as the server named them: a watch names them once only. */
export function textTable(
  { columnDefinitions, rows }: Pick<ServerTable, 'columnDefinitions' | 'rows'>,
  view: TableView,
): TextTable {
  const shown = columnDefinitions
    .map(({ name, priority }, index) => ({ name, priority, index }))
    .filter(({ priority }) => view.wide || priority === 0);
  const headers = shown.map(({ name }) => name.toUpperCase());
  const nameAt = shown.findIndex(({ name }) => name.toLowerCase() === 'name');
  return {
    headers: view.withNamespace ? ['NAMESPACE', ...headers] : headers,
    rows: rows.map(({ cells, object }) => {
      const words = shown.map(({ index }) => asWord(cells[index]));
      if (view.withKind && nameAt >= 0)
        words[nameAt] = `${resultName(view.kind)}/${words[nameAt] ?? ''}`;
      return view.withNamespace ? [object.metadata.namespace ?? '', ...words] : words;
    }),
  };
}

const asWord = (cell: unknown): string =>
  (typeof cell === 'string' ? cell : JSON.stringify(cell ?? '')).replace(/\s*\n\s*/g, ' ');
