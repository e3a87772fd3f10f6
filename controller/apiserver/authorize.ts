import type { Kind } from '../../api/kind.ts';
import { forbidden, StatusError } from '../../api/status.ts';
import type { User } from './call.ts';

/** Says what TLS found wrong with the client's certificate. */
export function unauthorized(socket: object): StatusError {
  const flaw = 'authorizationError' in socket ? String(socket.authorizationError) : '';
  const why = flaws[flaw] ?? 'a certificate of this cluster is needed';
  return new StatusError('Unauthorized', `Unauthorized: ${why}`);
}

const flaws: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'the client certificate has expired',
  CERT_NOT_YET_VALID: 'the client certificate is not valid yet: compare the clocks',
};

/** Administrators may do everything, others nothing, until there are roles. */
const isAdmin = ({ groups }: User): boolean => groups.includes('system:masters');

export interface Action {
  /** As Kubernetes says it: 'get', 'deletecollection'. */
  readonly verb: string;
  readonly kind: Kind;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

/** Throws Forbidden, in Kubernetes' words. */
export function authorize(user: User, { verb, kind, subresource, namespace, name }: Action): void {
  if (isAdmin(user)) return;
  const resource = subresource === '' ? kind.plural : `${kind.plural}/${subresource}`;
  const where = namespace === '' ? ' at the cluster scope' : ` in the namespace "${namespace}"`;
  const what = `resource "${resource}" in API group "${kind.group}"${where}`;
  throw forbidden(kind, name, { why: `User "${user.name}" cannot ${verb} ${what}` });
}

export function authorizePath(user: User, path: string): void {
  if (isAdmin(user)) return;
  throw new StatusError('Forbidden', `forbidden: User "${user.name}" cannot get path "${path}"`);
}
