import type { AgentLinkClient, OpenSession } from '../../api/generated/agent.ts';
import { type BulkCall, failureFrame, finish, sendFrame } from './bulk-call.ts';
import { pumpExec, pumpText } from './bulk-pumps.ts';
import type { SessionHandlers } from './session-handlers.ts';
import type { SessionOptions } from './session-options.ts';

/** The sessions of one connection, each a stream of its own. */
export interface BulkSessions {
  open(session: OpenSession): void;
  /** The controller's side has gone. Unknown: no effect. */
  close(id: string): void;
  closeAll(): void;
}

export function bulkSessions(
  client: AgentLinkClient,
  { handlers, log }: Pick<SessionOptions, 'handlers' | 'log'>,
): BulkSessions {
  const calls = new Map<string, BulkCall>();
  return {
    open(session) {
      const call = client.bulk();
      calls.set(session.id, call);
      call.on('close', () => calls.delete(session.id));
      call.on('error', (err) => log.debug({ err, component: 'session' }, 'bulk stream ended'));
      sendFrame(call, { $case: 'opened', value: session.id });
      pump(call, session, handlers).catch((error: unknown) => finish(call, failureFrame(error)));
    },
    close: (id) => calls.get(id)?.cancel(),
    closeAll() {
      for (const call of calls.values()) call.cancel();
    },
  };
}

function pump(call: BulkCall, { request }: OpenSession, handlers: SessionHandlers): Promise<void> {
  switch (request?.$case) {
    case 'exec':
      return pumpExec(call, request.value, () => handlers.exec(request.value));
    case 'attach':
      return pumpExec(call, request.value, () => handlers.attach(request.value));
    case 'portForward':
      return pumpExec(call, onlyOutput, () => handlers.portForward(request.value));
    case 'logs':
      return pumpText(call, (signal) => handlers.logs(request.value, signal));
    case 'nodeQuery':
      return pumpText(call, () => answer(handlers, request.value.what));
    default:
      return Promise.reject(new Error('a session of a kind that this agent does not know'));
  }
}

/** In pieces: a message of the link has its limit. */
const answer = async (handlers: SessionHandlers, what: string) =>
  new Blob([await handlers.query(what)]).stream();

const onlyOutput = { stdout: true, stderr: false };
