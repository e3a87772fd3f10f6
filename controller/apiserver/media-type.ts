import { StatusError } from '../../api/status.ts';

/** What the client wants to get, from its Accept header: the first that the server has. */
export type Format =
  | { readonly as: 'object' }
  | { readonly as: 'table'; readonly includeObject: IncludeObject }
  /** PartialObjectMetadata: what metadata-only informers ask for. */
  | { readonly as: 'metadata' };

/** How much of each object a table's row carries. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

const json = ['application/json', 'application/*', '*/*', 'text/*'];

export function formatOf(accept: string, query: URLSearchParams): Format {
  if (accept === '') return { as: 'object' };
  for (const { type, parameters } of mediaTypes(accept)) {
    if (!json.includes(type)) continue;
    const as = parameters.get('as');
    if (as === undefined) return { as: 'object' };
    if (parameters.get('g') !== 'meta.k8s.io' || parameters.get('v') !== 'v1') continue;
    if (as === 'Table') return { as: 'table', includeObject: includeObjectOf(query) };
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList')
      return { as: 'metadata' };
  }
  throw new StatusError(
    'NotAcceptable',
    'only the following media types are accepted: application/json, application/json;as=Table;g=meta.k8s.io;v=v1',
  );
}

type MediaType = Readonly<{ type: string; parameters: ReadonlyMap<string, string> }>;

/** In the order given; q values are not looked at, as no client of Kubernetes sends any. */
export const mediaTypes = (header: string): readonly MediaType[] =>
  header.split(',').map((entry) => {
    const [type = '', ...rest] = entry.split(';').map((part) => part.trim());
    const pairs = rest.map((pair) => {
      const [name = '', ...value] = pair.split('=');
      return [name, value.join('=')] as const;
    });
    return { type: type.toLowerCase(), parameters: new Map(pairs) };
  });

function includeObjectOf(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject');
  return value === 'None' || value === 'Object' ? value : 'Metadata';
}
