import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { nodesGroup } from '../../api/join.ts';
import { administrators, authenticatedGroup, type User } from '../../api/user-info.ts';

/** What a client certificate of ours stands for. Only for connections whose certificate TLS has verified. */
export function userOfCertificate(peer: PeerCertificate | undefined): User | undefined {
  const [name] = values(peer?.subject?.CN);
  if (name === undefined) return undefined;
  const groups = values(peer?.subject?.O);
  // A node has its link, and nothing at the API: not even what everybody may.
  return { name, groups: groups.includes(nodesGroup) ? groups : [...groups, authenticatedGroup] };
}

export interface MaybeTlsSocket {
  readonly authorized?: boolean;
  getPeerCertificate?(): PeerCertificate;
}

const users = new WeakMap<MaybeTlsSocket, User | undefined>();

/**
 * The user behind a socket; undefined: no certificate, or none that the authority has signed. Asked once for each
 * connection: to read the certificate with each request was a fifth of what a get costs.
 */
export const authenticate = (socket: MaybeTlsSocket): User | undefined =>
  users.getOrInsertComputed(socket, () =>
    socket.authorized ? userOfCertificate(socket.getPeerCertificate?.()) : undefined,
  );

/** A name that occurs several times comes as an array, which the types don't say. */
const values = (of: unknown): readonly string[] =>
  (Array.isArray(of) ? of : [of]).filter((v): v is string => typeof v === 'string' && v !== '');

/** A hook for routes; `deed`: what others may not do. Refusals are `{ "message": … }`. */
export const onlyAdministrators =
  (deed: string) =>
  async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const user = authenticate(request.raw.socket as TLSSocket);
    if (!user) return reply.code(401).send({ message: 'a client certificate is required' });
    if (Object.keys(request.headers).some((header) => header.startsWith('impersonate-')))
      return reply.code(400).send({ message: `nobody can ${deed} in the name of another` });
    if (user.groups.includes(administrators)) return undefined;
    return reply.code(403).send({ message: `${user.name} may not ${deed}` });
  };
