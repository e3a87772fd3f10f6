import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClusterRole, type PolicyRule, Role } from '../../../api/role.ts';
import { allows, type Deed, everything, uncovered } from '../../../api/rule-cover.ts';
import { errorsOf } from '../../support/parse.ts';

const rule = (text: string, more: Partial<PolicyRule> = {}): PolicyRule => {
  const [verbs = [], apiGroups = [], resources = []] = text
    .split(' ')
    .map((part) => part.split(',').map((word) => (word === 'core' ? '' : word)));
  return { verbs, apiGroups, resources, ...more };
};
const deed = (text: string): Deed => {
  const [verb = '', group = '', resource = '', name = ''] = text.split(' ');
  if (group.startsWith('/')) return { verb, path: group };
  return { verb, group: group === 'core' ? '' : group, resource, name };
};
const urls = (verb: string, ...nonResourceURLs: string[]): PolicyRule => ({
  verbs: [verb],
  nonResourceURLs,
});
const names = (...resourceNames: string[]) => ({ resourceNames });

describe('a rule', () => {
  it.each<readonly [PolicyRule, string, boolean]>([
    [rule('get core pods'), 'get core pods', true],
    [rule('get core pods'), 'get core pods web', true],
    [rule('get core pods'), 'list core pods', false],
    [rule('get core pods'), 'get apps pods', false],
    [rule('get core pods'), 'get core secrets', false],
    [rule('get core pods'), 'get core pods/log web', false],
    [rule('get,list core,apps pods,deployments'), 'list apps deployments', true],
    [rule('get core pods/log'), 'get core pods/log web', true],
    [rule('get core pods/log'), 'get core pods web', false],
    [rule('* * *'), 'create example.com things/status x', true],
    [rule('* core pods'), 'impersonate core pods', true],
    [rule('get * pods'), 'get metrics.k8s.io pods', true],
    [rule('get core *'), 'get core pods/exec web', true],
    [rule('update apps */scale'), 'update apps deployments/scale web', true],
    [rule('update apps */scale'), 'update apps deployments web', false],
    [rule('update apps */scale'), 'update apps deployments/status web', false],
    [rule('get core pods/*'), 'get core pods/log web', false],
    [rule('get core pods', names('web')), 'get core pods web', true],
    [rule('get core pods', names('web')), 'get core pods other', false],
    [rule('list core pods', names('web')), 'list core pods', false],
    [rule('create core pods', names('web')), 'create core pods', false],
    [rule('get core pods', names()), 'get core pods web', true],
    [urls('get', '/metrics'), 'get /metrics', true],
    [urls('get', '/metrics'), 'get /metrics/x', false],
    [urls('get', '/healthz/*'), 'get /healthz/store', true],
    [urls('get', '/healthz/*'), 'get /healthz', false],
    [urls('get', '*'), 'get /anything', true],
    [urls('get', '*'), 'post /anything', false],
    [urls('get', '/a*b'), 'get /axb', false],
    [urls('*', '*'), 'get core pods', false],
    [rule('* * *'), 'get /metrics', false],
  ])('%j and "%s": %s', (given, asked, expected) => {
    expect(allows(given, deed(asked))).toBe(expected);
  });
});

describe('what is not covered', () => {
  it.each<readonly [string, PolicyRule[], PolicyRule[], PolicyRule[]]>([
    ['nothing of the same', [rule('get core pods')], [rule('get core pods')], []],
    ['nothing of less', [rule('get,list core pods')], [rule('get core pods')], []],
    ['one verb', [rule('get core pods')], [rule('get,list core pods')], [rule('list core pods')]],
    [
      'nothing of two together',
      [rule('get core pods'), rule('list core pods')],
      [rule('get,list core pods')],
      [],
    ],
    [
      'a wildcard by words',
      [rule('get,list core pods')],
      [rule('* core pods')],
      [rule('* core pods')],
    ],
    [
      'all names by some',
      [rule('get core pods', names('a'))],
      [rule('get core pods')],
      [rule('get core pods')],
    ],
    [
      'all names by an empty one',
      [rule('get core pods', names(''))],
      [rule('get core pods')],
      [rule('get core pods')],
    ],
    ['nothing of names by all', [rule('get core pods')], [rule('get core pods', names('a'))], []],
    [
      'one name',
      [rule('get core pods', names('a'))],
      [rule('get core pods', names('a', 'b'))],
      [rule('get core pods', names('b'))],
    ],
    ['nothing of a longer prefix', [urls('get', '/a*')], [urls('get', '/a/*', '/abc')], []],
    ['a shorter prefix', [urls('get', '/a/*')], [urls('get', '/a*')], [urls('get', '/a*')]],
    ['nothing by everything', [...everything], [rule('* * *', names('x')), urls('*', '*')], []],
  ])('%s', (_, held, wanted, expected) => {
    expect(uncovered(held, wanted)).toEqual(expected);
  });
});

const words = (...some: string[]) =>
  fc.uniqueArray(fc.constantFrom(...some), { maxLength: 3, minLength: 1 });
const verbs = words('get', 'list', 'create', '*');
const resources = words(
  'pods',
  'pods/log',
  'deployments',
  'deployments/scale',
  '*/scale',
  '*',
  '*/*',
);
const anyRule: fc.Arbitrary<PolicyRule> = fc.oneof(
  fc.record(
    { verbs, apiGroups: words('', 'apps', '*'), resources, resourceNames: words('a', 'b', '') },
    { requiredKeys: ['verbs', 'apiGroups', 'resources'] },
  ),
  fc.record({ verbs, nonResourceURLs: words('/a', '/a*', '/a/*', '/b', '*', '/a/b') }),
);
const anyRules = fc.array(anyRule, { maxLength: 4 });
const anyDeed: fc.Arbitrary<Deed> = fc.oneof(
  fc.record({
    verb: fc.constantFrom('get', 'list', 'create', 'escalate'),
    group: fc.constantFrom('', 'apps', 'example.com'),
    resource: fc.constantFrom(
      'pods',
      'pods/log',
      'deployments',
      'deployments/scale',
      'x/scale',
      'x',
    ),
    name: fc.constantFrom('', 'a', 'b', 'c'),
  }),
  fc.record({
    verb: fc.constantFrom('get', 'create', 'post'),
    path: fc.constantFrom('/a', '/ab', '/a/', '/a/b', '/b', '/c', '/'),
  }),
);
const may = (rules: readonly PolicyRule[], asked: Deed) => rules.some((one) => allows(one, asked));

describe('who may write a role', () => {
  it('may already do everything in it', () => {
    let covered = 0;
    fc.assert(
      fc.property(
        anyRules,
        anyRule,
        fc.array(anyDeed, { minLength: 20, maxLength: 20 }),
        (held, wanted, deeds) => {
          const lacking = uncovered(held, [wanted]);
          if (lacking.length === 0) covered++;
          for (const asked of deeds)
            if (may([wanted], asked) && !may(lacking, asked))
              expect([asked, may(held, asked)]).toEqual([asked, true]);
        },
      ),
      { numRuns: 20_000 },
    );
    expect(covered).toBeGreaterThan(500);
  });

  it('who holds a rule may give it away, alone and with others', () => {
    fc.assert(
      fc.property(anyRules, anyRules, (held, others) => {
        expect(uncovered([...others, ...held], held)).toEqual([]);
        expect(uncovered(everything, held)).toEqual([]);
      }),
    );
  });
});

describe('rules', () => {
  const named = { metadata: { name: 'r' } };
  const words = (rules: PolicyRule[], namespaced = true) =>
    namespaced ? errorsOf(Role, { ...named, rules }) : errorsOf(ClusterRole, { ...named, rules });

  it('are refused where they allow nothing or mean nothing', () => {
    expect(words([{ verbs: [] }])).toEqual([
      'rules[0].verbs: Required value: verbs must contain at least one value',
      'rules[0].apiGroups: Required value: resource rules must supply at least one api group',
      'rules[0].resources: Required value: resource rules must supply at least one resource',
    ]);
    expect(words([urls('get', '/x')])).toEqual([
      'rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
    ]);
    expect(words([{ ...rule('get core pods'), nonResourceURLs: ['/x'] }], false)).toEqual([
      'rules[0].nonResourceURLs: Invalid value: ["/x"]: rules cannot apply to both regular resources and non-resource URLs',
    ]);
    const many = Array.from({ length: 300 }, (_, i) => `r${i}`);
    expect(words([{ verbs: many, apiGroups: many, resources: many }])).toEqual([
      'rules: Too many: 27000000: must have at most 50000 items',
    ]);
  });
});
