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
    const [core, others] = await Promise.all([
      discoverKinds(cli.api, '/api'),
      discoverKinds(cli.api, '/apis'),
    ]);
    const found = [...core, ...others]
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
    const isWide = output === 'wide';
    const headers = ['NAME', 'SHORTNAMES', 'APIVERSION', 'NAMESPACED', 'KIND'];
    const rows = found.map((one) => [
      ...[one.plural, one.shortNames.join(','), apiVersionOf(one), `${one.namespaced}`, one.kind],
      ...(isWide ? [one.verbs.join(','), one.categories.join(',')] : []),
    ]);
    const wideHeaders = isWide ? ['VERBS', 'CATEGORIES'] : [];
    printTable(cli, { headers: [...headers, ...wideHeaders], rows }, !noHeaders);
  },
});

const byGroup = ({ group, plural }: Kind) => `${group} ${plural}`;
