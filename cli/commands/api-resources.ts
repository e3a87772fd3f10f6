import { apiVersionOf } from '../../api/kind.ts';
import { kinds } from '../../api/kinds.ts';
import { oneOf } from '../../base/flags.ts';
import { defineVerb } from '../define-verb.ts';
import { printTable } from '../print/print-table.ts';

export const defineApiResources = defineVerb({
  flags: { output: oneOf('format', ['name']).short('o') },
  async run(cli, _, { output }) {
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
    printTable(cli, table);
    return 0;
  },
});
