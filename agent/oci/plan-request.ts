import type { StartRequest } from '../kernel/shim.ts';
import type { OciSpec } from './oci-spec.ts';
import { spaceOf } from './plan-spaces.ts';

/** Of the specification's "state": what a listener is told of the container. */
type OciState = Readonly<{ id: string; status: 'creating' | 'running'; bundle: string }>;

/** What goes with planContainer's list in the request to start it: new namespaces to be cloned into, its terminal. */
export function planRequest(spec: OciSpec, state: OciState) {
  const { process, linux = {} } = spec;
  const { width: columns, height: rows } = process?.consoleSize ?? {};
  return {
    terminal: process?.terminal ?? false,
    ...(columns && rows && { terminalSize: { columns, rows } }),
    namespaces: spaceOf(linux, 'pid')?.path === '' ? ['mount', 'pid'] : ['mount'],
    ...planListener(spec, state),
  } satisfies Partial<StartRequest>;
}

/** Where the descriptor of linux.seccomp's filter goes, with the specification's "containerProcessState". */
function planListener({ ociVersion, annotations, linux }: OciSpec, state: OciState) {
  const { listenerPath: path, listenerMetadata: metadata } = linux?.seccomp ?? {};
  if (!path) return {};
  const pid = '\u0001';
  const container = { ociVersion, ...state, pid, annotations };
  const fds = ['seccompFd'];
  const message = JSON.stringify({ ociVersion, fds, pid, metadata, state: container });
  return { listener: { path, message: message.replaceAll('"pid":"\\u0001"', '"pid":\u0001') } };
}
