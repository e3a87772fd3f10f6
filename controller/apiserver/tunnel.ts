import { Duplex } from 'node:stream';
import type { ExecStream } from '../../api/exec-stream.ts';

/** A connection into a pod, as Node's own clients want it. Destroying it hangs up. */
export function tunnelOf(stream: ExecStream): Duplex {
  let written: (() => void) | undefined;
  const tunnel = new Duplex({
    read: () => stream.resume(),
    write(chunk: Buffer, _encoding, done) {
      if (stream.write(chunk)) done();
      else written = done;
    },
    final(done) {
      stream.endInput();
      done();
    },
    destroy(error, done) {
      stream.close();
      done(error);
    },
  });
  // Its user hears of it while he uses it; later it concerns nobody.
  tunnel.on('error', () => {});
  stream.onDrain(() => {
    const done = written;
    written = undefined;
    done?.();
  });
  stream.onOutput((_, chunk) => {
    if (!tunnel.push(chunk)) stream.pause();
  });
  stream.exited.then(
    () => tunnel.push(null),
    (error: Error) => tunnel.destroy(error),
  );
  return tunnel;
}
