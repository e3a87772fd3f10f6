import { readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { seccompProfile } from '../agent/runtime/seccomp-profile.ts';
import { crunBinary, hideUnified, runcBinary } from '../test/support/other-runtime.ts';
import { runProgram } from '../test/support/run-program.ts';
import { atOnce, type Contender, type Floor, startFloor, timesOf } from './floor-peer.ts';

/** Debian's crun and runc by their command lines: create, start, delete. */
export interface OciPeers {
  readonly contenders: readonly Contender[];
  stop(): Promise<void>;
}

interface PeerOptions {
  readonly dir: string;
  readonly floor: string;
  readonly root: string;
  /** Of their cgroups, while they are started one at a time. */
  readonly parent: string;
}

/**
 * In a mount namespace without the unified tree of a hybrid host: this crun refuses to work beside one. The container is
 * what `runc spec` describes, with our filter of system calls: no overlay, no user namespace, no link, nothing logged.
 */
export async function startOciPeers(options: PeerOptions): Promise<OciPeers> {
  const { dir, floor: program, root, parent } = options;
  const [crun, runc] = [await crunBinary(), await runcBinary()];
  const env = { LD_LIBRARY_PATH: crun.libraryPath };
  const runtimes = { 'crun 1.8.1': crun.path, 'runc 1.1.5': runc };
  const bundle = await makeBundle(join(dir, 'bundle'), runc, root);
  const script = `${hideUnified}; exec "$@"`;
  const within = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh'];
  const filter = Buffer.from([6, 0, 0, 0, 0, 0, 0xff, 0x7f]); // BPF_RET, SECCOMP_RET_ALLOW
  const floor = await startFloor({ program, dir, layer: root, filter, groups: [], within, env });
  const contenders = Object.entries(runtimes).map(([name, path]) => {
    const state = join(dir, name.replace(' ', '-'));
    return peerContender({ name, path, state, bundle, floor, parent });
  });
  for (const { name } of contenders) await mkdir(join(dir, name.replace(' ', '-')));
  return {
    contenders,
    async stop() {
      await floor.stop();
      await rm(dir, { recursive: true });
    },
  };
}

function peerContender(of: {
  readonly name: string;
  readonly path: string;
  readonly state: string;
  readonly bundle: string;
  readonly floor: Floor;
  readonly parent: string;
}): Contender {
  const { name, path, state, bundle, floor, parent } = of;
  const config = join(bundle, 'config.json');
  const text = readFileSync(config, 'utf8');
  let number = 0;
  const line = (what: string) => `${what} ${path} ${state} ${bundle}`;
  return {
    name,
    once: async () => {
      const id = `orc-bench-${process.pid}-${number++}`;
      const cgroupsPath = `${parent}/${id}`;
      await writeFile(
        config,
        text.replace('"linux":{', `"linux":{"cgroupsPath":"${cgroupsPath}",`),
      );
      return timesOf(floor, `${line('peer')} ${id}`);
    },
    burst: async (count) => {
      await writeFile(config, text);
      return (await floor.ask(`${line('peers')} ${count} ${atOnce}`))[0]!;
    },
  };
}

/** Of what `runc spec` describes, but `/true`, without a terminal and with our filter. */
export async function makeBundle(bundle: string, runc: string, root: string): Promise<string> {
  await mkdir(bundle, { recursive: true });
  const { out, err } = await runProgram('sh', [
    '-c',
    `cd ${bundle} && rm -f config.json && ${runc} spec && cat config.json`,
  ]);
  if (out === '') throw new Error(err);
  const spec = JSON.parse(out) as {
    process: { terminal: boolean; args: string[]; capabilities: { bounding: string[] } };
    root: { path: string };
    linux: { seccomp?: unknown };
  };
  spec.process = { ...spec.process, terminal: false, args: ['/true'] };
  spec.root.path = root;
  spec.linux.seccomp = seccompProfile(spec.process.capabilities.bounding, process.arch);
  await writeFile(join(bundle, 'config.json'), JSON.stringify(spec));
  return bundle;
}
