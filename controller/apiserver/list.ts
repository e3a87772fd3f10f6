import { type AnyObject, apiVersionOf } from '../../api/kind.ts';
import type { Answer, ApiServerDeps, Call } from './call.ts';
import { awaitFresh, parseRevision } from './freshness.ts';
import { objectsAt, type Page, pageOf, parseToken } from './list-page.ts';
import { formatOf } from './media-type.ts';
import { badRequest, type ListOptions, listOptions } from './request-options.ts';
import { selectionOf } from './selection.ts';
import { encodeMetadata, encodeObject, encodeTable } from './table.ts';

export async function listObjects(call: Call, deps: ApiServerDeps): Promise<Answer> {
  const options = listOptions(call.query);
  const selects = selectionOf(call.kind, options);
  const { revision, after } = await readingPoint(deps, options);
  const found = objectsAt(deps.cache, call, revision);
  const page = pageOf(found.filter(selects), revision, { limit: options.limit, after });
  // The rest is counted only where nothing was filtered out, as Kubernetes has it.
  const isWhole = options.labelSelector === '' && options.fieldSelector === '';
  const remaining = isWhole ? page.remaining : 0;
  return answerList(call, { ...page, remaining, revision }, deps);
}

async function readingPoint(deps: ApiServerDeps, options: ListOptions) {
  if (options.continue !== '') {
    if (options.resourceVersion !== '' && options.resourceVersion !== '0')
      throw badRequest('specifying resource version is not allowed when using continue');
    const point = parseToken(options.continue);
    // Another controller may have given it, whose cache was further.
    if (point.revision > deps.cache.revision) await awaitFresh(deps, '');
    return point;
  }
  await awaitFresh(deps, options.resourceVersion);
  if (options.resourceVersionMatch === 'Exact')
    return { revision: parseRevision(options.resourceVersion), after: undefined };
  return { revision: deps.cache.revision, after: undefined };
}

type Listed = Partial<Page> & Readonly<{ objects: readonly AnyObject[]; revision: number }>;

export function answerList(call: Call, listed: Listed, { clock }: ApiServerDeps): Answer {
  const { objects, revision, continueToken, remaining } = listed;
  const { kind } = call;
  const metadata = {
    resourceVersion: String(revision),
    continue: continueToken || undefined,
    remainingItemCount: remaining || undefined,
  };
  const format = formatOf(call.accept, call.query);
  if (format.as === 'table') {
    const request = { kind, includeObject: format.includeObject, now: clock.now() };
    return { code: 200, body: encodeTable(request, objects, metadata) };
  }
  const [head, encode] =
    format.as === 'metadata'
      ? [{ kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1' }, encodeMetadata]
      : [{ kind: `${kind.kind}List`, apiVersion: apiVersionOf(kind) }, encodeObject];
  const start = JSON.stringify({ ...head, metadata }).slice(0, -1);
  return { code: 200, body: `${start},"items":[${objects.map(encode).join(',')}]}` };
}
