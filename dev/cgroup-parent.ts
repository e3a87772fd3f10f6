import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, sleep } from '../base/clock.ts';
import { readIfPresent } from '../base/durable-file.ts';

const mount = '/sys/fs/cgroup';

/**
 * Where the hosts' pods get their cgroups: below this process's own, never anywhere else.
 *
 * On pure cgroup v2 a group with processes can't hand its controllers down, so this process moves to a leaf beside the
 * hosts' groups (cgroups(7), "no internal processes"); under systemd it must have been started in a delegated scope.
 * On v1 and hybrid machines the hosts' groups are made below its own place in every hierarchy. Gives `of`, the agent's
 * --cgroup-parent for a host, and `remove`, for all that was made here; all its processes must have been ended.
 */
export async function takeCgroupParent(name: string, clock: Clock) {
  const places = await ownPlaces();
  const [unified] = places;
  if (places.length === 1 && unified?.controllers === '') {
    const own = join(mount, unified.path);
    await mkdir(join(own, name), { recursive: true });
    await writeFile(join(own, name, 'cgroup.procs'), String(process.pid));
    return {
      of: (host: string) => join(unified.path, `${name}-pods`, host),
      remove: () => removeTrees([join(own, `${name}-pods`)], clock),
    };
  }
  const tops = topsBelow(places, name);
  return { of: (host: string) => join(name, host), remove: () => removeTrees(tops, clock) };
}

/** What a killed process has left below the place that it shared with this one. */
export async function removeCgroupsOf(name: string, clock: Clock): Promise<void> {
  const places = await ownPlaces();
  await removeTrees([...topsBelow(places, name), ...topsBelow(places, `${name}-pods`)], clock);
}

const topsBelow = (places: readonly Place[], name: string): readonly string[] =>
  places.flatMap(({ controllers, path }) =>
    [controllers, ...(controllers === '' ? ['unified'] : controllers.split(','))].map((tree) =>
      join(mount, tree, path, name),
    ),
  );

type Place = Readonly<{ controllers: string; path: string }>;

/** Lines of /proc/self/cgroup: "4:memory:/path", and "0::/path" for the unified hierarchy. */
async function ownPlaces(): Promise<readonly Place[]> {
  const lines = (await readFile('/proc/self/cgroup', 'utf8')).trim().split('\n');
  return lines.map((line) => {
    const [, controllers = '', ...path] = line.split(':');
    return { controllers: controllers.replace(/^name=/, ''), path: path.join(':') };
  });
}

const removeDeadlineMs = 5000;
const pauseMs = 10;

/** A killed process leaves its group a moment after its namespace has ended. */
async function removeTrees(tops: readonly string[], clock: Clock): Promise<void> {
  const deadline = clock.monotonic() + removeDeadlineMs;
  for (const top of tops) {
    for (;;) {
      try {
        await removeTree(top);
        break;
      } catch (error) {
        if (clock.monotonic() > deadline) throw error;
        await sleep(clock, pauseMs);
      }
    }
  }
}

async function removeTree(top: string): Promise<void> {
  const entries = (await readIfPresent(readdir(top, { withFileTypes: true }))) ?? [];
  for (const entry of entries) if (entry.isDirectory()) await removeTree(join(top, entry.name));
  await readIfPresent(rmdir(top));
}
