import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Exec, type KubeConfig, type V1Status } from '@kubernetes/client-node';
import type { Run } from './run-program.ts';

/** Runs a command in a pod of the namespace "default" through the API, as `kubectl exec` does. */
export async function execInPod(
  client: KubeConfig,
  target: {
    readonly pod: string;
    readonly command: readonly string[];
    readonly container: string | undefined;
  },
): Promise<Run> {
  const out = new PassThrough();
  const err = new PassThrough();
  const ended = new Promise<V1Status>((resolve, reject) => {
    const exec = new Exec(client);
    const { pod, command, container = '' } = target;
    exec
      .exec('default', pod, container, [...command], out, err, null, false, resolve)
      .then((socket) => {
        socket.onclose = () => reject(new Error('the session ended without a status'));
      }, reject);
  });
  const said = Promise.all([text(out), text(err)]);
  try {
    const code = exitCodeOf(await ended);
    out.end();
    err.end();
    const [outText, errText] = await said;
    return { code, out: outText, err: errText };
  } finally {
    out.end();
    err.end();
  }
}

function exitCodeOf({ status, details, message }: V1Status): number {
  if (status === 'Success') return 0;
  const cause = details?.causes?.find(({ reason }) => reason === 'ExitCode');
  if (!cause) throw new Error(`exec: ${message}`);
  return Number(cause.message);
}
