import type { StartRequest } from '../kernel/shim.ts';
import type { OciSpec } from './oci-spec.ts';
import { spaceOf } from './plan-spaces.ts';

/** Of the specification's "state": what a listener is told of the container. */
type OciState = Readonly<{ id: string; status: 'creating' | 'running'; bundle: string }>;

/**
 * What goes with planContainer's list in the request to start it: new namespaces to be cloned into, its terminal, and
 * where the descriptor of linux.seccomp's filter goes, with the specification's "containerProcessState".
 */
export function planRequest(spec: OciSpec, state: OciState) {
  const { ociVersion, process, annotations, linux = {} } = spec;
  const { width: columns, height: rows } = process?.consoleSize ?? {};
  const { listenerPath: path, listenerMetadata: metadata } = linux.seccomp ?? {};
  const pid = '\u0001';
  const container = { ociVersion, ...state, pid, annotations };
  const told = { ociVersion, fds: ['seccompFd'], pid, metadata, state: container };
  const message = JSON.stringify(told).replaceAll('"pid":"\\u0001"', '"pid":\u0001');
  return {
    terminal: process?.terminal ?? false,
    ...(columns && rows && { terminalSize: { columns, rows } }),
    namespaces: spaceOf(linux, 'pid')?.path === '' ? ['mount', 'pid'] : ['mount'],
    ...(path && { listener: { path, message } }),
  } satisfies Partial<StartRequest>;
}
