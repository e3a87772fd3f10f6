import type { EventEmitter } from 'node:events';
import { status as grpcStatus, type ServerUnaryCall } from '@grpc/grpc-js';
import { nodeOfSubject } from '../../api/join.ts';

/** The node whose certificate the caller showed. */
export const nodeOfCall = (call: Pick<ServerUnaryCall<unknown, unknown>, 'getAuthContext'>) =>
  nodeOfSubject(call.getAuthContext().sslPeerCertificate?.subject);

/** An error that gRPC passes on with this code. */
export const refusal = (code: keyof typeof grpcStatus, details: string): Error =>
  Object.assign(new Error(details), { code: grpcStatus[code], details });

export const notANode = () => refusal('PERMISSION_DENIED', 'this is not the certificate of a node');

/** Ends the call with the error's code. Not with destroy(): grpc-js would never tell the other side. */
export function refuse(call: EventEmitter, error: Error): void {
  call.emit('error', error);
}
