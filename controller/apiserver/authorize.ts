import type { Kind } from '../../api/kind.ts';
import { Namespace } from '../../api/namespace.ts';
import { parseFieldSelector } from '../../api/selector.ts';
import { forbidden, StatusError } from '../../api/status.ts';
import type { User } from '../../api/user-info.ts';
import type { CacheReads } from '../store/objects.ts';
import { decide } from './rbac.ts';

export interface Action {
  /** As Kubernetes says it: 'get', 'deletecollection'. */
  readonly verb: string;
  readonly kind: Pick<Kind, 'group' | 'plural' | 'kind'>;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

/** Throws Forbidden, in Kubernetes' words. */
export function authorize(user: User, action: Action, cache: CacheReads): void {
  const { verb, kind, subresource, namespace, name } = action;
  const { group, plural } = kind;
  const resource = subresource === '' ? plural : `${plural}/${subresource}`;
  const { allowed, reason } = decide(user, { verb, group, resource, namespace, name }, cache);
  if (allowed) return;
  const where = namespace === '' ? ' at the cluster scope' : ` in the namespace "${namespace}"`;
  const what = `resource "${resource}" in API group "${group}"${where}`;
  const more = reason === '' ? '' : `: ${reason}`;
  throw forbidden(kind, name, { why: `User "${user.name}" cannot ${verb} ${what}${more}` });
}

/** As roles see it: a namespace is in itself, and who selects one name asks for that object alone. */
export function roleAction(asked: Action, query: URLSearchParams): Action {
  const action = asked.kind === Namespace ? { ...asked, namespace: asked.name } : asked;
  if (action.verb !== 'list' && action.verb !== 'watch') return action;
  const fieldSelector = query.get('fieldSelector') ?? '';
  if (!fieldSelector.includes('metadata.name')) return action;
  const terms = selectorTerms(fieldSelector);
  const named = terms.find(({ path, equal }) => path === 'metadata.name' && equal);
  return { ...action, name: named?.value ?? '' };
}

/** The list itself says what is wrong with it, to whom it is allowed. */
function selectorTerms(selector: string) {
  try {
    return parseFieldSelector(selector);
  } catch {
    return [];
  }
}

export function authorizePath(user: User, path: string, cache: CacheReads): void {
  const { allowed, reason } = decide(user, { verb: 'get', path, namespace: '' }, cache);
  if (allowed) return;
  const more = reason === '' ? '' : `: ${reason}`;
  const message = `forbidden: User "${user.name}" cannot get path "${path}"${more}`;
  throw new StatusError('Forbidden', message);
}
