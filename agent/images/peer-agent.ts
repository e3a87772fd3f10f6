import { connect } from 'node:net';
import { Agent, buildConnector } from 'undici';
import { nodeOfSubject } from '../../api/join.ts';
import type { PeerIdentity } from './peer-client.ts';

/** The kernel answers for a process that is busy. */
const connectMs = 1000;
const secureMs = 5000;
const idleMs = 15_000;

/** Connections to the node of this name, which must show the certificate of that. */
export function openAgent(name: string, { ca, key, certificate: cert }: PeerIdentity): Agent {
  const checkServerIdentity = (_: string, shown: { readonly subject: unknown }) =>
    nodeOfSubject(shown.subject) === name ? undefined : new Error(`it is not node ${name}`);
  const secure = buildConnector({ ca, key, cert, checkServerIdentity, timeout: secureMs });
  const dial: buildConnector.connector = (options, callback) => {
    const { hostname: host, port } = options;
    const httpSocket = connect({ host, port: Number(port), timeout: connectMs });
    httpSocket.once('error', (error) => callback(error, null));
    httpSocket.once('timeout', () => httpSocket.destroy(new Error(`${host} is silent`)));
    httpSocket.once('connect', () => {
      httpSocket.removeAllListeners();
      secure({ ...options, httpSocket }, callback);
    });
  };
  return new Agent({ connect: dial, bodyTimeout: idleMs, headersTimeout: idleMs });
}
