import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { FastifyReply, FastifyRequest } from 'fastify';

export type User = Readonly<{ name: string; groups: readonly string[] }>;

/** What a client certificate of ours stands for. Only for connections whose certificate TLS has verified. */
export function userOfCertificate(peer: PeerCertificate | undefined): User | undefined {
  const [name] = values(peer?.subject?.CN);
  return name === undefined ? undefined : { name, groups: values(peer?.subject?.O) };
}

export interface MaybeTlsSocket {
  readonly authorized?: boolean;
  getPeerCertificate?(): PeerCertificate;
}

/** The user behind a socket; undefined: no certificate, or none that the authority has signed. */
export const authenticate = (socket: MaybeTlsSocket): User | undefined =>
  socket.authorized ? userOfCertificate(socket.getPeerCertificate?.()) : undefined;

/** A name that occurs several times comes as an array, which the types don't say. */
const values = (of: unknown): readonly string[] =>
  (Array.isArray(of) ? of : [of]).filter((v): v is string => typeof v === 'string' && v !== '');

const administrators = 'system:masters';

/** A hook for routes; `deed`: what others may not do. Refusals are `{ "message": … }`. */
export const onlyAdministrators =
  (deed: string) =>
  async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const user = authenticate(request.raw.socket as TLSSocket);
    if (!user) return reply.code(401).send({ message: 'a client certificate is required' });
    if (user.groups.includes(administrators)) return undefined;
    return reply.code(403).send({ message: `${user.name} may not ${deed}` });
  };
