import { StatusError } from '../../api/status.ts';
import type { ExecClient, ExecTransport, Upgrade, WantedStreams } from './exec-session.ts';
import { tellSize } from './exec-session.ts';
import { acceptSpdy, openSpdyConnection, type SpdyConnection } from './spdy/connection.ts';

/**
 * Exec over SPDY/3.1, what kubectl speaks up to 1.29 and falls back to. The client opens one stream for each of
 * stdin, stdout, stderr, resize and error, named by the header `streamtype`; the final Status goes to `error`.
 */
export async function openExecSpdy(upgrade: Upgrade, wanted: WantedStreams) {
  const { socket } = upgrade;
  acceptSpdy(upgrade, 'v4.channel.k8s.io');
  return new Promise<ExecTransport>((resolve, reject) => {
    const streams = new Map<string, number>();
    let client: ExecClient | undefined;
    const start = (given: ExecClient) => {
      client = given;
      connection.resume();
    };
    const endOfInput = (stream: number) => {
      if (stream === streams.get('stdin')) client?.inputEnd();
    };
    const connection = openSpdyConnection(socket, {
      opened(stream, headers) {
        const name = headers.get('streamtype') ?? '';
        if (!streamNames.includes(name)) return connection.finish(stream);
        streams.set(name, stream);
        if (!expectedStreams(wanted).every((name) => streams.has(name))) return;
        connection.pause();
        resolve({ start, ...spdyOutput(connection, socket, streams) });
      },
      received(stream, chunk) {
        if (stream === streams.get('stdin')) client?.input(chunk);
        if (stream === streams.get('resize')) tellSize(chunk.toString(), client);
      },
      ended: endOfInput,
      reset: endOfInput,
      closed() {
        client?.close();
        reject(new StatusError('BadRequest', 'the client hung up before it opened its streams'));
      },
    });
  });
}

const streamNames = ['error', 'stdin', 'stdout', 'stderr', 'resize'];

function expectedStreams({ stdin, stdout, stderr, tty }: WantedStreams): readonly string[] {
  const wanted = { error: true, stdin, stdout, stderr, resize: tty };
  return Object.entries(wanted).flatMap(([name, is]) => (is ? [name] : []));
}

const spdyOutput = (
  connection: SpdyConnection,
  socket: Upgrade['socket'],
  streams: ReadonlyMap<string, number>,
): Omit<ExecTransport, 'start'> => ({
  output(name, chunk) {
    const stream = streams.get(name);
    return stream === undefined || connection.send(stream, chunk);
  },
  onDrain: (listener) => socket.on('drain', listener),
  pauseInput: connection.pause,
  resumeInput: connection.resume,
  finish(status) {
    const text = Buffer.from(JSON.stringify({ metadata: {}, ...status }));
    for (const [name, stream] of streams)
      connection.finish(stream, name === 'error' ? text : undefined);
    connection.close();
  },
});
