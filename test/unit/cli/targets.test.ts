import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../base/flags.ts';
import { parseNamedTargets, parsePodTarget, parseTargets } from '../../../cli/targets.ts';

const told = (words: string) =>
  parseTargets(words.split(' ')).map(({ kind, name }) => `${kind.plural}${name ? ` ${name}` : ''}`);

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
    ['all', ['pods', 'replicasets', 'deployments', 'services']],
  ];
  for (const [words, expected] of cases)
    it(`takes "${words}" for ${expected.join(', ')}`, () => expect(told(words)).toEqual(expected));

  const mistakes: readonly [words: string, message: RegExp][] = [
    ['pdos', /^there is no kind "pdos"; did you mean "pods"\?/],
    ['zzz', /^there is no kind "zzz" \(orc api-resources lists them\)$/],
    ['deploy/web svc', /^"svc" is not KIND\/NAME/],
    ['deploy/', /^"deploy\/" is not KIND\/NAME/],
    ['a/b/c', /^"a\/b\/c" is not KIND\/NAME/],
  ];
  for (const [words, message] of mistakes)
    it(`refuses "${words}"`, () => {
      expect(() => told(words)).toThrow(UsageError);
      expect(() => told(words)).toThrow(message);
    });
});

it('asks for a name where one is needed', () => {
  expect(() => parseNamedTargets(['deploy'])).toThrow('say which one: deployment/NAME');
});

it('takes a bare word for a pod where pods are meant', () => {
  expect(parsePodTarget('web-1')).toMatchObject({ kind: { plural: 'pods' }, name: 'web-1' });
  expect(parsePodTarget('deploy/web')).toMatchObject({ kind: { plural: 'deployments' } });
});
