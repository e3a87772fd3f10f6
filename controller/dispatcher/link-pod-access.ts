import { text } from 'node:stream/consumers';
import { StatusError } from '../../api/status.ts';
import type { PodAccess } from '../pod-access.ts';
import type { AgentLink } from './agent-link.ts';
import { execStream } from './exec-stream.ts';
import { logStream } from './log-stream.ts';
import type { SessionRequest, Sessions } from './sessions.ts';

/** Logs, exec, attach and ports over the agents' bulk streams. */
export function linkPodAccess(
  links: ReadonlyMap<string, AgentLink>,
  sessions: Sessions,
): PodAccess {
  const open = (nodeName: string, request: SessionRequest, signal: AbortSignal) =>
    sessions.open(linkTo(links, nodeName), request, signal);
  return {
    async logs(pod, options, signal) {
      const session = await open(
        pod.nodeName,
        { $case: 'logs', value: { podUid: pod.uid, ...options } },
        signal,
      );
      return logStream(session, signal);
    },
    async exec(pod, request, signal) {
      const session = await open(
        pod.nodeName,
        { $case: 'exec', value: { podUid: pod.uid, ...request, command: [...request.command] } },
        signal,
      );
      return execStream(session);
    },
    async attach(pod, request, signal) {
      const value = { podUid: pod.uid, ...request };
      return execStream(await open(pod.nodeName, { $case: 'attach', value }, signal));
    },
    async portForward(pod, port, signal) {
      const value = { podUid: pod.uid, port };
      return execStream(await open(pod.nodeName, { $case: 'portForward', value }, signal));
    },
    async nodeText(nodeName, what, signal) {
      const session = await open(nodeName, { $case: 'nodeQuery', value: { what } }, signal);
      return text(logStream(session, signal));
    },
  };
}

function linkTo(links: ReadonlyMap<string, AgentLink>, nodeName: string): AgentLink {
  const link = links.get(nodeName);
  if (link) return link;
  throw new StatusError('ServiceUnavailable', `node "${nodeName}" is not connected`);
}
