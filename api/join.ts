/** What an agent and a controller, or two controllers, must agree on before they share a certificate authority. */

import { UsageError } from '../base/flags.ts';

/** GET the authority, POST the others. */
export const joinPaths = { authority: '/join/ca', node: '/join', controller: '/join/controller' };

/** POST /join, over TLS with the authority that the token pins. */
export interface JoinRequest {
  readonly token: string;
  readonly nodeName: string;
  /** PKCS #10, PEM; its names are ignored, its key is taken. */
  readonly csr: string;
}

export interface JoinAnswer {
  /** PEM each. */
  readonly certificate: string;
  readonly ca: string;
}

/** To POST /join/controller with `{ token }`: all that makes another controller one of this cluster. */
export interface ControllerKeys {
  /** PEM each. */
  readonly caKey: string;
  readonly ca: string;
  /** That Secrets are sealed with; base64. */
  readonly storeKey: string;
}

/** What a token is for. That of a controller is used once. */
export type JoinUse = 'node' | 'controller';

export interface JoinToken {
  /** Public: names the token in listings and logs. */
  readonly id: string;
  readonly secret: string;
  /** SHA-256 of the authority's public key (SPKI, DER), in hex: known before anything is sent. */
  readonly caHash: string;
}

export const formatJoinToken = ({ id, secret, caHash }: JoinToken): string =>
  `orcjoin.${id}.${secret}.${caHash}`;

/** undefined: not a token at all. */
export function parseJoinToken(text: string): JoinToken | undefined {
  const match = /^orcjoin\.([0-9a-f]{12})\.([0-9A-Za-z_-]{43})\.([0-9a-f]{64})$/.exec(text.trim());
  const [, id, secret, caHash] = match ?? [];
  return id && secret && caHash ? { id, secret, caHash } : undefined;
}

/** Throws UsageError. */
export function mustParseJoinToken(text: string): JoinToken {
  const token = parseJoinToken(text);
  if (token) return token;
  throw new UsageError('--token is not a join token: copy all of what `orc token create` printed');
}

/**
 * The DNS name that every controller's certificate carries and that agents hold it against: an agent dials addresses,
 * and these may change without a new certificate.
 */
export const controllerTlsName = 'orc-controller';

const nodeUserPrefix = 'system:node:';

/** The group that a node's certificate names (its organization). */
export const nodesGroup = 'system:nodes';

/** The user that a node's certificate names. */
export const nodeUser = (nodeName: string): string => `${nodeUserPrefix}${nodeName}`;

/** The node that this user is; undefined for everybody else. */
export const nodeOfUser = (user: string): string | undefined =>
  user.startsWith(nodeUserPrefix) ? user.slice(nodeUserPrefix.length) : undefined;

/** The node of a certificate that TLS has verified; undefined for every other one of the cluster: an administrator is no node. */
export function nodeOfSubject(subject: unknown): string | undefined {
  const { CN, O } = (subject ?? {}) as { readonly CN?: unknown; readonly O?: unknown };
  return typeof CN === 'string' && O === nodesGroup ? nodeOfUser(CN) : undefined;
}
