import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  createSandbox,
  execIn,
  logPath,
  type NativePod,
  overlayRoot,
  runContainer,
  startContainer,
  startPod,
} from '../../support/native-pod.ts';

let pod: NativePod;

beforeEach(async () => {
  pod = await startPod();
  await createSandbox(pod);
  await pod.shim.run(overlayRoot(pod));
});

afterEach(() => pod.end());

it('runs a container and logs', async () => {
  const exit = await runContainer(pod, {
    container: 'a',
    argv: [
      'sh',
      '-c',
      'id; hostname; ls -ln /; cat /proc/self/uid_map; ip addr; echo err >&2; exit 3',
    ],
  });
  console.log(exit, readFileSync(logPath(pod, 'a'), 'utf8'));
  expect(exit.exit?.exitCode).toBe(3);
});

it('execs', async () => {
  await startContainer(pod, { container: 'a', argv: ['sleep', '1000'] });
  const session = await execIn(pod, 'a', { argv: ['sh', '-c', 'ps; cat; exit 4'], stdin: true });
  session.onOutput((s, c) => console.log(s, c.toString()));
  session.write(Buffer.from('hello'));
  session.endInput();
  console.log(await session.exited);
  const tty = await execIn(pod, 'a', {
    argv: ['sh'],
    stdin: true,
    terminal: { columns: 81, rows: 25 },
  });
  tty.onOutput((s, c) => console.log(s, c.toString()));
  tty.write(Buffer.from('tty; ls -ln /dev/pts; stty size; echo $((1+1)); exit 5\n'));
  console.log(await tty.exited);
});
