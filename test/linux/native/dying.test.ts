import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  createSandbox,
  execIn,
  type NativePod,
  overlayRoot,
  startContainer,
  startPod,
} from '../../support/native-pod.ts';
import { rounds } from '../../support/rounds.ts';
import { seededRng } from '../../support/seeded-rng.ts';

let pod: NativePod;
beforeAll(async () => {
  pod = await startPod();
  await createSandbox(pod);
  await pod.shim.run(overlayRoot(pod));
});
afterAll(() => pod.end());

it(
  'a container that is killed ends, whoever is on the way into it',
  async () => {
    const rng = seededRng(rounds(1));
    for (let i = 0; i < rounds(20); i++) {
      const container = `c${i}`;
      await startContainer(pod, { container, argv: ['sleep', '1000'] });
      const enter = () => execIn(pod, container, { argv: ['true'] }).then(({ exited }) => exited);
      const entering = Promise.allSettled(Array.from({ length: 6 }, enter));
      await new Promise((resolve) => setTimeout(resolve, rng.fraction() * 6));
      await pod.shim.kill(container, 9);
      const exit = async () =>
        (await pod.shim.list()).find((other) => other.container === container)?.exit?.signal;
      await expect.poll(exit, { timeout: 20_000 }).toBe(9);
      await entering;
      await pod.shim.forget(container);
    }
  },
  rounds(60_000),
);
