import type { EventEmitter } from 'node:events';
import { status as grpcStatus, type ServerUnaryCall } from '@grpc/grpc-js';
import { nodeOfUser, nodesGroup } from '../../api/join.ts';

/**
 * The node whose certificate the caller showed; TLS has verified it. undefined for every other certificate of the
 * cluster: an administrator is no node.
 */
export function nodeOfCall(
  call: Pick<ServerUnaryCall<unknown, unknown>, 'getAuthContext'>,
): string | undefined {
  const subject: unknown = call.getAuthContext().sslPeerCertificate?.subject;
  const { CN, O } = (subject ?? {}) as { readonly CN?: unknown; readonly O?: unknown };
  if (typeof CN !== 'string' || O !== nodesGroup) return undefined;
  return nodeOfUser(CN);
}

/** An error that gRPC passes on with this code. */
export function refusal(code: keyof typeof grpcStatus, details: string): Error {
  return Object.assign(new Error(details), { code: grpcStatus[code], details });
}

export const notANode = () => refusal('PERMISSION_DENIED', 'this is not the certificate of a node');

/** Ends the call with the error's code. Not with destroy(): grpc-js would never tell the other side. */
export function refuse(call: EventEmitter, error: Error): void {
  call.emit('error', error);
}
