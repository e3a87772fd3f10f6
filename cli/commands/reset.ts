import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { on, UsageError } from '../../base/flags.ts';
import type { Cli } from '../cli.ts';
import { ask } from '../confirm.ts';
import { defineVerb } from '../define-verb.ts';

export const defineReset = defineVerb({
  flags: { yes: on('do not ask').short('y') },
  async run({ io, out }, _, { yes }) {
    if (process.getuid?.() !== 0) throw new UsageError('only root can do that: sudo orc reset');
    if (!yes && !(await confirmed(io))) {
      out('nothing was done');
      return 1;
    }
    return spawnSync(script(), { stdio: 'inherit' }).status ?? 1;
  },
});

async function confirmed(io: Cli['io']): Promise<boolean> {
  const warning =
    'All pods on this machine end, and what orc keeps here is deleted: a cluster’s only controller takes the cluster with it.';
  return (await ask(io, `${warning}\nType "reset" to go on: `)) === 'reset';
}

/** deploy/reset of a checkout or of the package; this module may be a part of build/. */
function script(): string {
  const places = ['../deploy/reset', '../../deploy/reset', '../reset'];
  const paths = places.map((place) => fileURLToPath(new URL(place, import.meta.url)));
  const path = paths.find((found) => existsSync(found));
  if (path === undefined) throw new UsageError(`none of ${paths.join(', ')} is there`);
  return path;
}
