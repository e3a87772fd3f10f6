import { apiVersionOf } from '../../api/kind.ts';
import { kinds } from '../../api/kinds.ts';
import { oneOf, type ValuesOf } from '../../base/flags.ts';
import type { Cli } from '../cli.ts';
import { defineVerb } from '../define-verb.ts';
import { layoutOf } from '../print/layout.ts';
import { formatTable } from '../print/table.ts';

const apiResourcesFlags = { output: oneOf('format', ['name']).short('o') };

export const defineApiResources = defineVerb({ flags: apiResourcesFlags, run: apiResources });

async function apiResources(
  cli: Cli,
  _: readonly string[],
  { output }: ValuesOf<typeof apiResourcesFlags>,
): Promise<number> {
  if (output === 'name') {
    for (const { plural, group } of kinds) cli.out(group === '' ? plural : `${plural}.${group}`);
    return 0;
  }
  const table = {
    headers: ['NAME', 'SHORT', 'VERSION', 'NAMESPACED', 'KIND'],
    rows: kinds.map((kind) => [
      kind.plural,
      kind.shortNames.join(','),
      apiVersionOf(kind),
      String(kind.namespaced),
      kind.kind,
    ]),
  };
  for (const line of formatTable(table, layoutOf(cli.io))) cli.out(line);
  return 0;
}
