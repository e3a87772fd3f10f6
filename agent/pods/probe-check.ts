import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { Container } from '../../api/container.ts';
import type { Probe } from '../../api/probe.ts';
import type { ContainerId, ContainerPort } from '../ports.ts';

export interface CheckTarget {
  readonly id: ContainerId;
  readonly container: Container;
  readonly podIp: string;
  readonly containers: Pick<ContainerPort, 'exec'>;
}

export type CheckOutcome =
  | { readonly ok: true }
  /** What was found instead, for the Unhealthy event. */
  | { readonly ok: false; readonly why: string };

/** One check, until it has an answer or the signal aborts. */
export function runCheck(
  probe: Probe,
  target: CheckTarget,
  signal: AbortSignal,
): Promise<CheckOutcome> {
  const { exec, httpGet, tcpSocket } = probe;
  if (exec) return execCheck(exec.command ?? [], target, signal);
  const wanted = (httpGet ?? tcpSocket)?.port;
  if (wanted === undefined) return Promise.resolve({ ok: true });
  const port = portOf(wanted, target.container);
  if (port === undefined)
    return Promise.resolve({ ok: false, why: `the container has no port named ${wanted}` });
  if (httpGet) return httpCheck(httpGet, { host: httpGet.host ?? target.podIp, port }, signal);
  return tcpCheck({ host: tcpSocket?.host ?? target.podIp, port }, signal);
}

type Place = Readonly<{ host: string; port: number }>;

async function execCheck(
  command: readonly string[],
  { id, containers }: CheckTarget,
  signal: AbortSignal,
): Promise<CheckOutcome> {
  const session = await containers.exec(id, { command, stdin: false, terminal: undefined });
  const output: Buffer[] = [];
  let bytes = 0;
  session.onOutput((_stream, chunk) => {
    if (bytes < 10_240) output.push(chunk);
    bytes += chunk.length;
  });
  const hangUp = () => session.close();
  // Aborted while it was being started: nobody would end it.
  if (signal.aborted) hangUp();
  signal.addEventListener('abort', hangUp, { once: true });
  try {
    const { exitCode } = await session.exited;
    if (exitCode === 0) return { ok: true };
    return {
      ok: false,
      why: Buffer.concat(output).toString('utf8', 0, 1024).trim() || `exit code ${exitCode}`,
    };
  } finally {
    signal.removeEventListener('abort', hangUp);
    session.close();
  }
}

function httpCheck(
  get: NonNullable<Probe['httpGet']>,
  place: Place,
  signal: AbortSignal,
): Promise<CheckOutcome> {
  const request = get.scheme === 'HTTPS' ? httpsRequest : httpRequest;
  const headers = Object.fromEntries((get.httpHeaders ?? []).map((h) => [h.name, h.value]));
  return new Promise((resolve) => {
    const sent = request({
      ...place,
      path: get.path.startsWith('/') ? get.path : `/${get.path}`,
      headers: { 'user-agent': 'kube-probe/orc', connection: 'close', ...headers },
      signal,
      agent: false,
      // The pod's certificate is its own affair, as with Kubernetes' probes.
      rejectUnauthorized: false,
    });
    sent.on('response', (response) => {
      // Only the first line counts: a body may have no end.
      response.destroy();
      const code = response.statusCode ?? 0;
      const ok = code >= 200 && code < 400;
      resolve(ok ? { ok } : { ok, why: `HTTP probe failed with statuscode: ${code}` });
    });
    sent.on('error', (error) => resolve({ ok: false, why: error.message }));
    sent.end();
  });
}

const tcpCheck = (place: Place, signal: AbortSignal): Promise<CheckOutcome> =>
  new Promise((resolve) => {
    const socket = connect({ ...place, signal });
    socket.on('connect', () => {
      socket.destroy();
      resolve({ ok: true });
    });
    socket.on('error', (error) => resolve({ ok: false, why: error.message }));
  });

function portOf(port: number | string, container: Container): number | undefined {
  if (typeof port === 'number') return port;
  const named = container.ports?.find((p) => p.name === port)?.containerPort;
  return named ?? (/^\d+$/.test(port) ? Number(port) : undefined);
}
