import { describe, expect, it } from 'vitest';
import { ResourceQuota } from '../../../api/resource-quota.ts';
import { errorsOf, stored, updateErrorsOf } from '../../support/parse.ts';

const quota = (spec: object) => ({ metadata: { name: 'q' }, spec });
const selecting = (scopeName: string, operator: string, values?: readonly string[]) => ({
  scopeSelector: { matchExpressions: [{ scopeName, operator, values }] },
});

describe('a ResourceQuota', () => {
  it.each([
    ['nothing', {}],
    ['whole and broken amounts', { hard: { pods: '10', cpu: '1500m', 'count/pods': '3' } }],
    ['scopes that fit', { hard: { pods: '1', cpu: '1' }, scopes: ['NotBestEffort'] }],
    ['priority classes', { hard: { pods: '1' }, ...selecting('PriorityClass', 'In', ['high']) }],
  ])('is taken with %s', (_, spec) => {
    expect(errorsOf(ResourceQuota, quota(spec))).toEqual([]);
  });

  const unsuited = 'unsupported scope applied to resource';
  const inSelector = 'spec.scopeSelector.matchExpressions';
  it.each([
    [
      'less than nothing',
      { hard: { cpu: '-1' } },
      ['spec.hard.cpu: Invalid value: "-1": must be greater than or equal to 0'],
    ],
    [
      'half a pod',
      { hard: { pods: '500m' } },
      ['spec.hard.pods: Invalid value: "500m": must be an integer'],
    ],
    [
      'processors of what asks for none',
      { hard: { cpu: '1' }, scopes: ['BestEffort'] },
      [`spec.scopes: Invalid value: ["BestEffort"]: ${unsuited}`],
    ],
    [
      'a scope for what is no pod',
      { hard: { services: '1' }, scopes: ['NotTerminating'] },
      [`spec.scopes: Invalid value: ["NotTerminating"]: ${unsuited}`],
    ],
    [
      'scopes that exclude one another',
      { hard: { pods: '1' }, scopes: ['BestEffort', 'NotBestEffort'] },
      ['spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes'],
    ],
    [
      'a scope of affinity',
      { scopes: ['CrossNamespacePodAffinity'] },
      ['spec.scopes[0]: "CrossNamespacePodAffinity" is not supported by orc yet'],
    ],
    [
      'classes that are not named',
      { hard: { pods: '1' }, ...selecting('PriorityClass', 'In') },
      [
        `${inSelector}[0].values: Required value: must be at least one value when \`operator\` is 'In' or 'NotIn' for scope selector`,
      ],
    ],
    [
      'names for what has none',
      { hard: { pods: '1' }, ...selecting('BestEffort', 'NotIn', ['x']) },
      [
        `${inSelector}[0].operator: Invalid value: "NotIn": must be 'Exists' when scope is BestEffort`,
      ],
    ],
  ])('is refused with %s', (_, spec, errors) => {
    expect(errorsOf(ResourceQuota, quota(spec))).toEqual(errors);
  });

  it('keeps its scopes', () => {
    const previous = stored(ResourceQuota, quota({ hard: { pods: '1' }, scopes: ['BestEffort'] }));
    expect(updateErrorsOf(ResourceQuota, quota({ hard: { pods: '2' } }), previous)).toEqual([
      'spec.scopes: Invalid value: []: field is immutable',
    ]);
  });

  it('shows what is used of what, with limits in a column of their own', () => {
    const object = {
      ...stored(ResourceQuota, quota({})),
      status: {
        hard: { pods: '10', 'limits.cpu': '4', 'count/pods': '5' },
        used: { pods: '1', 'limits.cpu': '500m' },
      },
    };
    const cells = ResourceQuota.columns.map((column) => [column.name, column.of(object, 0)]);
    expect(cells.slice(1)).toEqual([
      ['Request', 'count/pods: 0/5, pods: 1/10'],
      ['Limit', 'limits.cpu: 500m/4'],
    ]);
  });
});
