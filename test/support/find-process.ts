import { readdir, readFile } from 'node:fs/promises';

/** The pid of the one process whose command line, arguments parted by spaces, matches; undefined: there is none. */
export async function findProcess(pattern: RegExp): Promise<number | undefined> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const looks = await Promise.allSettled(
    pids.map(async (pid) => {
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8');
      return pattern.test(command.replaceAll('\0', ' ').trim()) ? [Number(pid)] : [];
    }),
  );
  const found = looks.flatMap((look) => (look.status === 'fulfilled' ? look.value : []));
  if (found.length > 1)
    throw new Error(`${found.length} processes match ${pattern}: ${found.join(' ')}`);
  return found[0];
}
