import { constants } from 'node:os';
import { getSystemErrorMessage } from 'node:util';
import type { Op, OpFailure } from './op.ts';

/** What the C program could not do: "mount overlay on /…: mount: EPERM (operation not permitted)". */
export class OpError extends Error {
  override readonly name = 'OpError';
  readonly failure: OpFailure;
  /** EPERM, ENOENT …; the number's text if Node has no name for it. */
  readonly code: string;

  constructor(what: string, failure: OpFailure) {
    const code = errnoName(failure.errno);
    super(`${what}: ${failure.stage}: ${code} (${getSystemErrorMessage(-failure.errno)})`);
    this.failure = failure;
    this.code = code;
  }
}

/** The failure of a request that ran a list: names the operation, or the request if none had begun. */
export function opError(request: string, ops: readonly Op[], failure: OpFailure): OpError {
  const op = ops[failure.index];
  return new OpError(op === undefined ? request : describeOp(op), failure);
}

/** An operation in a few words. */
function describeOp(op: Op): string {
  switch (op.op) {
    case 'mount':
      return `mount ${op.fstype} on ${op.target}`;
    case 'bind':
      return `bind ${op.source} on ${op.target}`;
    case 'join':
    case 'unshare':
      return `${op.op} ${op.op === 'join' ? op.namespace : op.namespaces.join(', ')} namespace`;
    case 'dial':
      return `dial port ${op.port}`;
    case 'exec':
      return `exec ${op.argv[0]}`;
    case 'enter-container':
      return `enter container ${op.container}`;
    default:
      return 'path' in op ? `${op.op} ${op.path}` : op.op;
  }
}

function errnoName(errno: number): string {
  const found = Object.entries(constants.errno).find(([, number]) => number === errno);
  return found?.[0] ?? String(errno);
}
