import { apiVersionOf } from '../../api/kind.ts';
import { kinds } from '../../api/kinds.ts';
import { UsageError } from '../../base/flags.ts';
import type { Cli, DefineVerb } from '../cli.ts';
import { layoutOf } from '../print/layout.ts';
import { formatTable } from '../print/table.ts';

export const defineApiResources: DefineVerb = (command, act) => {
  command.option('-o, --output <format>', 'name').action(act(apiResources));
};

async function apiResources(
  cli: Cli,
  _: readonly string[],
  { output }: { readonly output?: string },
): Promise<number> {
  if (output !== undefined && output !== 'name')
    throw new UsageError(`-o must be name, not "${output}"`);
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
