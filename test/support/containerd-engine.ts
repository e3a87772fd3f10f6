import { ensurePackages } from '../../dev/images/packages.ts';
import {
  archiveImage,
  buildShellImage,
  type Engine,
  type EngineOptions,
  openTerminal,
  pathOf,
  startApart,
  startClient,
} from './docker-engine.ts';
import { waitFor } from './wait-for.ts';

/** As `ctr image import` names it. */
export const shellImage = 'docker.io/library/shell:1';

/** With the image shell:1. `runtime`: a path. */
export async function startContainerd(
  dir: string,
  cacheDir: string,
  runtime: string,
): Promise<Engine> {
  const engine = await openContainerd({ dir, cacheDir, runtime });
  try {
    const archive = await archiveImage(await buildShellImage(cacheDir), dir);
    const { code, err } = await engine.run('image', 'import', archive);
    if (code !== 0) throw new Error(`ctr image import: ${err}`);
  } catch (error) {
    await engine.stop();
    throw error;
  }
  return engine;
}

/** Debian's containerd and its ctr. */
export async function openContainerd(options: EngineOptions): Promise<Engine> {
  const { dir, cacheDir, runtime = 'runc', beside = [], sharesNetwork } = options;
  const env = { PATH: pathOf(await ensurePackages(['containerd', ...beside], cacheDir)) };
  const apart = await startApart({ dir, env, args: [], script, sharesNetwork });
  let count = 0;
  const whole = ([verb = '', ...rest]: readonly string[]) => [
    ...['ctr', '--address', '/run/containerd.sock', verb],
    ...(verb === 'run' ? ['--runc-binary', runtime] : []),
    ...(verb === 'run' ? ['--cgroup', `${apart.cgroups}/${count++}`] : []),
    ...rest,
  ];
  const run = (...args: readonly string[]) => apart.run(...whole(args));
  try {
    await waitFor('containerd', async () => (await run('version')).code === 0, 30_000);
  } catch (error) {
    await apart.stop();
    throw error;
  }
  return {
    run,
    start: (...args) => startClient([...apart.enter, ...whole(args)], env),
    onTerminal: (...args) => openTerminal([...apart.enter, ...whole(args)], env),
    pid: apart.pid,
    stop: apart.stop,
  };
}

/** Whose parent ends gets the first process, which waits for all. */
const script = `
  containerd --root "$0/containerd" --state /run/containerd --address /run/containerd.sock &
  wait $!`;
