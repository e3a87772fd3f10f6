import { text } from 'node:stream/consumers';
import { StatusError } from '../../api/status.ts';
import type { PodAccess } from '../pod-access.ts';
import type { AgentLink } from './agent-link.ts';
import { execStream, logStream } from './session-streams.ts';
import type { SessionRequest, Sessions } from './sessions.ts';

/** Logs, exec, attach and ports over the agents' bulk streams. */
export function linkPodAccess(
  links: ReadonlyMap<string, AgentLink>,
  sessions: Sessions,
): PodAccess {
  const open = (nodeName: string, request: SessionRequest, signal: AbortSignal) =>
    sessions.open(linkTo(links, nodeName), request, signal);
  return {
    async logs({ nodeName, uid: podUid }, options, signal) {
      const value = { podUid, ...options };
      return logStream(await open(nodeName, { $case: 'logs', value }, signal), signal);
    },
    async exec({ nodeName, uid: podUid }, request, signal) {
      const value = { podUid, ...request, command: [...request.command] };
      return execStream(await open(nodeName, { $case: 'exec', value }, signal));
    },
    async attach({ nodeName, uid: podUid }, request, signal) {
      const value = { podUid, ...request };
      return execStream(await open(nodeName, { $case: 'attach', value }, signal));
    },
    async portForward({ nodeName, uid: podUid }, port, signal) {
      const value = { podUid, port };
      return execStream(await open(nodeName, { $case: 'portForward', value }, signal));
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
