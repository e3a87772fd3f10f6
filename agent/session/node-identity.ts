import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as joining from '../../api/join.ts';
import { readIfPresent, writeFileDurably } from '../../base/durable-file.ts';
import { postPinned } from '../../base/pinned-https.ts';

/** Who this node is, PEM each. */
export interface NodeIdentity {
  readonly key: string;
  readonly certificate: string;
  /** The cluster's authority. */
  readonly ca: string;
}

/** The identity in `dir`; undefined: this machine has not joined. */
export async function readIdentity(dir: string): Promise<NodeIdentity | undefined> {
  const text = await readIfPresent(readFile(identityPath(dir), 'utf8'));
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as NodeIdentity;
  } catch (cause) {
    const path = identityPath(dir);
    throw new Error(`${path} is damaged: restore it, or remove it and join again`, { cause });
  }
}

/** Key and certificate in one file (0600), so that after a crash they belong together. `dir` is made with mode 0700. */
export async function saveIdentity(dir: string, identity: NodeIdentity): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await writeFileDurably({
    path: identityPath(dir),
    bytes: JSON.stringify(identity, undefined, 1),
    mode: 0o600,
  });
}

const identityPath = (dir: string) => join(dir, 'identity.json');

interface JoinOptions {
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
  const { caHash } = joining.mustParseJoinToken(token);
  const { newCertificateRequest } = await import('./certificate-request.ts');
  const { key, csr } = await newCertificateRequest(nodeName);
  const body: joining.JoinRequest = { token: token.trim(), nodeName, csr };
  const { certificate, ca } = (await postPinned({
    ...{ server, authorityPath: joining.joinPaths.authority, authorityHash: caHash, body },
    path: joining.joinPaths.node,
  })) as joining.JoinAnswer;
  const identity = { key, certificate, ca };
  await saveIdentity(dir, identity);
  return identity;
}
