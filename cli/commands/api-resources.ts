import { apiVersionOf, type Kind } from '../../api/kind.ts';
import { on, oneOf, text } from '../../base/flags.ts';
import { defineVerb } from '../define-verb.ts';
import { discoverKinds } from '../discovery.ts';
import { printTable } from '../print/table.ts';

export const defineApiResources = defineVerb({
  flags: {
    output: oneOf('format', ['wide', 'name']).short('o'),
    'api-group': text('group', 'only of this one'),
    namespaced: oneOf('which', ['true', 'false']),
    'no-headers': on('rows only'),
  },
  async run(cli, _, { output, apiGroup, namespaced, noHeaders }) {
    const asked = (['/api', '/apis'] as const).map((path) => discoverKinds(cli.api, path));
    const found = (await Promise.all(asked))
      .flat()
      .filter(
        (one) =>
          [undefined, one.group].includes(apiGroup) &&
          [undefined, String(one.namespaced)].includes(namespaced),
      )
      .sort((a, b) => (byGroup(a) < byGroup(b) ? -1 : 1));
    if (output === 'name') {
      for (const { plural, group } of found) cli.out(group ? `${plural}.${group}` : plural);
      return;
    }
    const columns = output === 'wide' ? headers.length : 5;
    const rows = found.map((one) => {
      const { plural, shortNames, namespaced, kind, verbs, categories } = one;
      const names = [plural, shortNames.join(','), apiVersionOf(one), `${namespaced}`, kind];
      return [...names, verbs.join(','), categories.join(',')].slice(0, columns);
    });
    printTable(cli, { headers: headers.slice(0, columns), rows }, !noHeaders);
  },
});

const headers = ['NAME', 'SHORTNAMES', 'APIVERSION', 'NAMESPACED', 'KIND', 'VERBS', 'CATEGORIES'];

const byGroup = ({ group, plural }: Kind) => `${group} ${plural}`;
