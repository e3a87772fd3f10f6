import type { PeerCertificate } from 'node:tls';

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
export function authenticate(socket: MaybeTlsSocket): User | undefined {
  return socket.authorized ? userOfCertificate(socket.getPeerCertificate?.()) : undefined;
}

/** A name that occurs several times comes as an array, which the types don't say. */
const values = (of: unknown): readonly string[] =>
  (Array.isArray(of) ? of : [of]).filter((v): v is string => typeof v === 'string' && v !== '');
