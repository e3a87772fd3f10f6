import { type AnyObject, apiVersionOf } from '../../api/kind.ts';
import type { Answer, ApiServerDeps, Call } from './call.ts';
import { encodeMetadata, encodeObject } from './encode.ts';
import { awaitFresh, parseRevision } from './freshness.ts';
import { objectsAt, type Page, pageOf, parseToken } from './list-page.ts';
import { formatOf } from './media-type.ts';
import { badRequest, type ListOptions, listOptions } from './request-options.ts';
import { selectionOf } from './selection.ts';
import { encodeTable } from './table.ts';

export async function listObjects(call: Call, deps: ApiServerDeps): Promise<Answer> {
  const options = listOptions(call.query);
  const selects = selectionOf(call.kind, options);
  const { revision, after } = await readingPoint(deps, options);
  const found = objectsAt(deps.cache, call, revision);
  const page = pageOf(found.filter(selects), revision, { limit: options.limit, after });
  const whole = options.labelSelector === '' && options.fieldSelector === '';
  return { code: 200, body: encodeList(call, page, { revision, whole, now: deps.clock.now() }) };
}

async function readingPoint(deps: ApiServerDeps, options: ListOptions) {
  if (options.continue !== '') {
    if (options.resourceVersion !== '' && options.resourceVersion !== '0')
      throw badRequest('specifying resource version is not allowed when using continue');
    return parseToken(options.continue);
  }
  await awaitFresh(deps, options.resourceVersion);
  if (options.resourceVersionMatch === 'Exact')
    return { revision: parseRevision(options.resourceVersion), after: undefined };
  return { revision: deps.cache.revision, after: undefined };
}

interface ListFacts {
  readonly revision: number;
  /** Nothing was filtered out: only then the remaining ones can be counted, as Kubernetes has it. */
  readonly whole: boolean;
  readonly now: number;
}

export function encodeList(call: Call, page: Page, { revision, whole, now }: ListFacts): string {
  const metadata = {
    resourceVersion: String(revision),
    ...(page.continueToken === '' ? {} : { continue: page.continueToken }),
    ...(page.remaining > 0 && whole ? { remainingItemCount: page.remaining } : {}),
  };
  const format = formatOf(call.accept, call.query);
  switch (format.as) {
    case 'table': {
      const request = { kind: call.kind, includeObject: format.includeObject, now };
      return encodeTable(request, page.objects, metadata);
    }
    case 'metadata': {
      const head = { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', metadata };
      return encodeItems(head, page.objects, encodeMetadata);
    }
    case 'object': {
      const { kind } = call;
      const head = { kind: `${kind.kind}List`, apiVersion: apiVersionOf(kind), metadata };
      return encodeItems(head, page.objects, encodeObject);
    }
  }
}

function encodeItems(
  head: object,
  objects: readonly AnyObject[],
  encode: (object: AnyObject) => string,
): string {
  return `${JSON.stringify(head).slice(0, -1)},"items":[${objects.map(encode).join(',')}]}`;
}
