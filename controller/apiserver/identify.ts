import type { IncomingMessage } from 'node:http';
import querystring from 'node:querystring';
import { StatusError } from '../../api/status.ts';
import {
  authenticatedGroup,
  serviceAccountGroups,
  serviceAccountOf,
  type User,
} from '../../api/user-info.ts';
import type { CacheReads } from '../store/objects.ts';
import { type Action, authorize } from './authorize.ts';
import type { ApiServerDeps } from './call.ts';
import { badRequest } from './request-options.ts';

/**
 * Who asks, and in whose name: by the certificate, else by the token, so that a wrong token beside a good certificate
 * does no harm, as in Kubernetes. Throws Unauthorized; Forbidden to who may not impersonate.
 */
export function identify(server: ApiServerDeps, request: IncomingMessage): User {
  const user = server.authenticate(request) ?? userOfToken(server, request);
  return impersonated(user, request, server.cache);
}

function userOfToken({ tokens }: ApiServerDeps, { headers, socket }: IncomingMessage): User {
  const [, token] = /^bearer +(\S+)/i.exec(headers.authorization ?? '') ?? [];
  if (token === undefined) throw unauthorized(socket);
  const verdict = tokens.check(token);
  if ('user' in verdict) return verdict.user;
  throw new StatusError('Unauthorized', `Unauthorized: ${verdict.error}`);
}

/** Says what TLS found wrong with the client's certificate. */
function unauthorized(socket: object): StatusError {
  const flaw = 'authorizationError' in socket ? String(socket.authorizationError) : '';
  const why = flaws[flaw] ?? 'a certificate of this cluster or a token is needed';
  return new StatusError('Unauthorized', `Unauthorized: ${why}`);
}

const flaws: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'the client certificate has expired',
  CERT_NOT_YET_VALID: 'the client certificate is not valid yet: compare the clocks',
};

/** kubectl's --as, --as-group and --as-uid: each part of the other user must be allowed. */
function impersonated(by: User, request: IncomingMessage, cache: CacheReads): User {
  const parts = impersonationHeaders(request);
  if (parts.length === 0) return by;
  const valuesOf = (header: string) =>
    parts.filter(({ part }) => part === header).map(({ value }) => value);
  const [name = ''] = valuesOf('user');
  if (name === '') throw badRequest('impersonation needs a user: the header Impersonate-User');
  for (const part of parts) authorize(by, impersonating(part), cache);
  const keys = parts.map(({ part }) => part).filter((part) => part.startsWith(extraPrefix));
  const extra = keys.map((key) => [key.slice(extraPrefix.length), valuesOf(key)]);
  return {
    name,
    groups: groupsOf(name, valuesOf('group')),
    uid: valuesOf('uid')[0],
    extra: extra.length === 0 ? undefined : Object.fromEntries(extra),
  };
}

const extraPrefix = 'extra-';

type Part = Readonly<{ part: string; value: string }>;

function impersonationHeaders({ rawHeaders }: IncomingMessage): readonly Part[] {
  return rawHeaders.flatMap((header, at) => {
    const [, part] = (at % 2 === 0 && /^impersonate-(.+)$/i.exec(header)) || [];
    const value = Buffer.from(rawHeaders[at + 1] ?? '', 'latin1').toString();
    // Keys of extras that aren't fit for a header come percent-encoded.
    return part === undefined ? [] : [{ part: querystring.unescape(part.toLowerCase()), value }];
  });
}

function impersonating({ part, value }: Part): Action {
  const acting = (group: string, plural: string, more: Partial<Action> = {}): Action => ({
    ...{ verb: 'impersonate', kind: { group, plural, kind: plural }, subresource: '' },
    ...{ namespace: '', name: value, ...more },
  });
  const account = part === 'user' ? serviceAccountOf(value) : undefined;
  if (account) return acting('', 'serviceaccounts', account);
  if (part === 'user' || part === 'group') return acting('', `${part}s`);
  const group = 'authentication.k8s.io';
  if (part === 'uid') return acting(group, 'uids');
  if (!part.startsWith(extraPrefix)) throw badRequest(`unknown header Impersonate-${part}`);
  return acting(group, 'userextras', { subresource: part.slice(extraPrefix.length) });
}

/** A ServiceAccount has its own, unless others are given. */
function groupsOf(name: string, given: readonly string[]): readonly string[] {
  const account = serviceAccountOf(name);
  const groups = given.length === 0 && account ? serviceAccountGroups(account.namespace) : given;
  const isStranger = name === 'system:anonymous' || groups.includes(authenticatedGroup);
  return isStranger ? groups : [...groups, authenticatedGroup];
}
