import {
  type JoinAnswer,
  type JoinRequest,
  joinPaths,
  mustParseJoinToken,
} from '../../api/join.ts';
import { postPinned } from '../../base/pinned-https.ts';
import { type NodeIdentity, saveIdentity } from './node-identity.ts';

export interface JoinOptions {
  /** "https://host:6443" */
  readonly server: string;
  readonly token: string;
  readonly nodeName: string;
  /** Where the identity is kept. */
  readonly dir: string;
}

/** Turns a join token into this node's identity. Throws PinnedHttpsError, UsageError. */
export async function joinCluster(options: JoinOptions): Promise<NodeIdentity> {
  const { server, token, nodeName, dir } = options;
  const { caHash } = mustParseJoinToken(token);
  const { newCertificateRequest } = await import('./certificate-request.ts');
  const { key, csr } = await newCertificateRequest(nodeName);
  const body: JoinRequest = { token: token.trim(), nodeName, csr };
  const { certificate, ca } = (await postPinned({
    ...{ server, authorityPath: joinPaths.authority, authorityHash: caHash, body },
    path: joinPaths.node,
  })) as JoinAnswer;
  const identity = { key, certificate, ca };
  await saveIdentity(dir, identity);
  return identity;
}
