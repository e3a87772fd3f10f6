import { beforeEach, describe, expect, it } from 'vitest';
import { Pod } from '../../../api/pod.ts';
import { UsageError } from '../../../base/flags.ts';
import type { Cli } from '../../../cli/cli.ts';
import type { ApiClient } from '../../../cli/client.ts';
import { processIo } from '../../../cli/io.ts';
import { Api } from '../../../cli/resources.ts';
import { parseTargets, refsMeant, refWithPods } from '../../../cli/targets.ts';
import { aggregatedList } from '../../../controller/apiserver/discovery.ts';

const greenhouse = {
  ...Pod,
  ...{ group: 'garden.example', version: 'v1alpha1', kind: 'Greenhouse', singular: 'greenhouse' },
  ...{ plural: 'greenhouses', shortNames: ['gh'], categories: ['all', 'garden'] },
};
const climate = { ...greenhouse, kind: 'Climate', plural: 'climates', singular: 'climate' };
const discovered = [greenhouse, { ...climate, shortNames: [], categories: [], namespaced: false }];

/** What the server was asked. */
const asked: string[] = [];
beforeEach(() => void (asked.length = 0));

const io = processIo();

function cliOf(): Cli {
  const client: Partial<ApiClient> = {
    send: async <T>({ path }: { readonly path: string }) => {
      asked.push(path);
      return { code: 200, body: aggregatedList(discovered, 'v2') as T };
    },
  };
  const api = new Api(async () => client as ApiClient);
  return { io, api, namespace: async () => 'shop', out: () => {}, err: () => {} };
}

async function told(words: string) {
  const targets = await parseTargets(cliOf().api, words.split(' '));
  return targets.map(({ kind, name }) => `${kind.plural}${name ? ` ${name}` : ''}`);
}

describe('parseTargets', () => {
  const cases: readonly [words: string, expected: readonly string[]][] = [
    ['pods', ['pods']],
    ['po', ['pods']],
    ['Pod', ['pods']],
    ['deployments.apps', ['deployments']],
    ['deployments.v1.apps', ['deployments']],
    ['deployment.apps/web', ['deployments web']],
    ['pods,svc', ['pods', 'services']],
    ['pod a b', ['pods a', 'pods b']],
    ['pod,svc web', ['pods web', 'services web']],
    ['deploy/web svc/web', ['deployments web', 'services web']],
  ];
  for (const [words, expected] of cases)
    it(`takes "${words}" for ${expected.join(', ')}, and asks nobody`, async () => {
      expect(await told(words)).toEqual(expected);
      expect(asked).toEqual([]);
    });

  const others: typeof cases = [
    ['all', ['pods', 'replicasets', 'deployments', 'services', 'greenhouses']],
    ['gh', ['greenhouses']],
    ['gh/a Greenhouse/b', ['greenhouses a', 'greenhouses b']],
    ['greenhouses.garden.example a', ['greenhouses a']],
    ['greenhouse.v1alpha1.garden.example', ['greenhouses']],
    ['po,climate,garden', ['pods', 'climates', 'greenhouses']],
  ];
  for (const [words, expected] of others)
    it(`takes "${words}" for ${expected.join(', ')}, having asked once`, async () => {
      expect(await told(words)).toEqual(expected);
      expect(asked).toEqual(['/apis']);
    });

  const mistakes: readonly [words: string, message: RegExp][] = [
    ['pdos', /^there is no kind "pdos"; did you mean "pods"\?/],
    ['grenhouse', /^there is no kind "grenhouse"; did you mean "greenhouse"\?/],
    ['zzz', /^there is no kind "zzz" \(orc api-resources lists them\)$/],
    ['deploy/web svc', /^"svc" is not KIND\/NAME/],
    ['deploy/', /^"deploy\/" is not KIND\/NAME/],
    ['a/b/c', /^"a\/b\/c" is not KIND\/NAME/],
  ];
  for (const [words, message] of mistakes)
    it(`refuses "${words}"`, async () => {
      await expect(told(words)).rejects.toThrow(UsageError);
      await expect(told(words)).rejects.toThrow(message);
    });
});

it('asks for a name where one is needed', async () => {
  await expect(refsMeant(cliOf(), ['deploy'])).rejects.toThrow('say which deployments: name them');
  expect(await refsMeant(cliOf(), ['gh/a', 'climates/b'])).toMatchObject([
    { kind: { kind: 'Greenhouse' }, name: 'a', namespace: 'shop' },
    { kind: { kind: 'Climate' }, name: 'b', namespace: '' },
  ]);
});

it('takes a bare word for a pod where pods are meant', async () => {
  const meant = (word: string) => refWithPods(cliOf(), word);
  expect(await meant('web-1')).toMatchObject({ kind: { plural: 'pods' }, name: 'web-1' });
  expect(await meant('deploy/web')).toMatchObject({ kind: { plural: 'deployments' } });
});
