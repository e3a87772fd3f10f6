import { apiVersionOf } from '../../api/kind.ts';
import { kinds } from '../../api/kinds.ts';
import { oneOf } from '../../base/flags.ts';
import { defineVerb } from '../define-verb.ts';
import { printTable } from '../print/table.ts';

export const defineApiResources = defineVerb({
  flags: { output: oneOf('format', ['name']).short('o') },
  async run(cli, _, { output }) {
    const headers = ['NAME', 'SHORT', 'VERSION', 'NAMESPACED', 'KIND'];
    const rows = kinds.map((one) => {
      const { plural, shortNames, namespaced, kind } = one;
      return [plural, shortNames.join(','), apiVersionOf(one), String(namespaced), kind];
    });
    if (output === undefined) printTable(cli, { headers, rows });
    else for (const { plural, group } of kinds) cli.out(group ? `${plural}.${group}` : plural);
  },
});
