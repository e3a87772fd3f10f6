import { ServerCredentials } from '@grpc/grpc-js';

/** PEM each. */
export interface ServerIdentity {
  readonly key: string;
  readonly certificate: string;
  /** Clients must show a certificate of this authority. */
  readonly ca: string;
}

/** Mutual TLS whose certificate can be replaced while connections live. */
export class RenewableCredentials extends ServerCredentials {
  constructor(identity: ServerIdentity) {
    super(handshake, contextOf(identity));
  }

  /** Connections made from now on get it; those that are there go on. */
  renew(identity: ServerIdentity): void {
    this.updateSecureContextOptions(contextOf(identity));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

const handshake = { requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' } as const;
const contextOf = ({ key, certificate, ca }: ServerIdentity) => ({ key, cert: certificate, ca });
