import { OpError } from '../kernel/op-error.ts';
import type { ExecSession } from '../kernel/shim.ts';

/** The session, with what the shim says of a failure in its caller's words. */
export function withReason(session: ExecSession, reasonOf: (error: OpError) => Error): ExecSession {
  const exited = session.exited.catch((error: unknown) => {
    throw error instanceof OpError ? reasonOf(error) : error;
  });
  exited.catch(() => undefined); // who hangs up may not ask how it ended
  return { ...session, exited };
}
