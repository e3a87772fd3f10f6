import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { nodesGroup, nodeUser } from '../../api/join.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/**
 * A new key (PEM; it never leaves the node), and the request for a certificate for it (PKCS #10, PEM). Import this file when it is needed: its library is a fifth of what
 * an agent would load at each start, for what it does once in months.
 */
export async function newCertificateRequest(nodeName: string) {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ O: [nodesGroup] }, { CN: [nodeUser(nodeName)] }],
    keys,
    signingAlgorithm: algorithm,
  });
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'), csr: request.toString('pem') };
}
