import { on, oneOf, text } from '../../base/flags.ts';
import { defineVerb } from '../define-verb.ts';
import { printTable } from '../print/table.ts';
import type { Api } from '../resources.ts';

export const defineApiResources = defineVerb({
  flags: {
    output: oneOf('format', ['wide', 'name']).short('o'),
    'api-group': text('group', 'only of this one'),
    namespaced: oneOf('which', ['true', 'false']),
    'no-headers': on('rows only'),
  },
  async run(cli, _, { output, apiGroup, namespaced, noHeaders }) {
    const found = (await servedResources(cli.api)).filter(
      (one) =>
        [undefined, one.group].includes(apiGroup) &&
        [undefined, String(one.namespaced)].includes(namespaced),
    );
    if (output === 'name') {
      for (const { name, group } of found) cli.out(group ? `${name}.${group}` : name);
      return;
    }
    const isWide = output === 'wide';
    const headers = ['NAME', 'SHORTNAMES', 'APIVERSION', 'NAMESPACED', 'KIND'];
    const rows = found.map((one) => [
      ...[
        one.name,
        one.shortNames?.join(',') ?? '',
        one.groupVersion,
        `${one.namespaced}`,
        one.kind,
      ],
      ...(isWide ? [one.verbs.join(','), one.categories?.join(',') ?? ''] : []),
    ]);
    const wideHeaders = isWide ? ['VERBS', 'CATEGORIES'] : [];
    printTable(cli, { headers: [...headers, ...wideHeaders], rows }, !noHeaders);
  },
});

/** APIResource, and whose it is. */
interface Resource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly group: string;
  readonly groupVersion: string;
}

/** What the server says it has, in each group's preferred version. */
async function servedResources(api: Api): Promise<readonly Resource[]> {
  type Group = { readonly name: string; readonly preferredVersion: { groupVersion: string } };
  const { body } = await api.send<{ groups: readonly Group[] }>({ path: '/apis' });
  const core = { name: '', preferredVersion: { groupVersion: 'v1' } };
  const lists = [core, ...body.groups].map(async ({ name: group, preferredVersion }) => {
    const { groupVersion } = preferredVersion;
    const path = `/${group === '' ? 'api' : 'apis'}/${groupVersion}`;
    const { resources } = (await api.send<{ resources: readonly Resource[] }>({ path })).body;
    return resources
      .filter(({ name }) => !name.includes('/'))
      .map((one) => ({ ...one, group, groupVersion }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  });
  return (await Promise.all(lists)).flat();
}
