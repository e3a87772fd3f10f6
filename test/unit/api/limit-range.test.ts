import { describe, expect, it } from 'vitest';
import { LimitRange } from '../../../api/limit-range.ts';
import { errorsOf, stored } from '../../support/parse.ts';

const limitRange = (...limits: readonly object[]) => ({
  metadata: { name: 'limits' },
  spec: { limits },
});
const container = (item: object) => limitRange({ type: 'Container', ...item });

describe('a LimitRange', () => {
  it.each([
    ['nothing', {}, {}],
    ['max alone', { max: { cpu: '2' } }, { default: { cpu: '2' }, defaultRequest: { cpu: '2' } }],
    ['min alone', { min: { cpu: '0.1' } }, { defaultRequest: { cpu: '100m' } }],
    [
      'a default between',
      { min: { cpu: '100m' }, default: { cpu: '1' }, max: { cpu: '2' } },
      { default: { cpu: '1' }, defaultRequest: { cpu: '1' } },
    ],
    [
      'all of one resource, some of another',
      { defaultRequest: { cpu: '1' }, default: { cpu: '2' }, max: { memory: '1Gi' } },
      {
        default: { cpu: '2', memory: '1Gi' },
        defaultRequest: { cpu: '1', memory: '1Gi' },
      },
    ],
  ])('fills in the defaults of containers from %s', (_, given, filled) => {
    const [item] = stored(LimitRange, container(given)).spec.limits;
    const { default: limits, defaultRequest: requests } = item ?? {};
    expect({
      ...(limits && { default: limits }),
      ...(requests && { defaultRequest: requests }),
    }).toEqual(filled);
  });

  it('fills in nothing for pods', () => {
    const item = { type: 'Pod', max: { cpu: '2' } };
    expect(stored(LimitRange, limitRange(item)).spec.limits).toEqual([item]);
  });

  it.each([
    ['min', 'max', 'min', 'min value 2 is greater than max value 1'],
    [
      'min',
      'defaultRequest',
      'defaultRequest',
      'min value 2 is greater than default request value 1',
    ],
    [
      'defaultRequest',
      'max',
      'defaultRequest',
      'default request value 2 is greater than max value 1',
    ],
    [
      'defaultRequest',
      'default',
      'defaultRequest',
      'default request value 2 is greater than default limit value 1',
    ],
    ['min', 'default', 'default', 'min value 2 is greater than default value 1'],
    ['default', 'max', 'default', 'default value 2 is greater than max value 1'],
  ])('is refused with %s above %s', (low, high, told, why) => {
    const errors = errorsOf(LimitRange, container({ [low]: { cpu: '2' }, [high]: { cpu: '1' } }));
    expect(errors.join()).toContain(`spec.limits[0].${told}.cpu: `);
    expect(errors.join()).toContain(why);
  });

  it.each([
    [
      'a type twice',
      limitRange({ type: 'Pod' }, { type: 'Pod' }),
      ['spec.limits[1].type: Duplicate value: "Pod"'],
    ],
    [
      'defaults for pods',
      limitRange({ type: 'Pod', default: { cpu: '1' }, defaultRequest: { cpu: '1' } }),
      [
        "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'",
        "spec.limits[0].defaultRequest: Forbidden: may not be specified when `type` is 'Pod'",
      ],
    ],
    [
      'a ratio below one',
      container({ maxLimitRequestRatio: { cpu: '0.5' } }),
      ['spec.limits[0].maxLimitRequestRatio.cpu: Invalid value: "500m": ratio 500m is less than 1'],
    ],
    [
      'a ratio beyond what min and max allow',
      limitRange({
        ...{ type: 'Pod', min: { cpu: '1' }, max: { cpu: '3' } },
        maxLimitRequestRatio: { cpu: '4' },
      }),
      [
        'spec.limits[0].maxLimitRequestRatio.cpu: Invalid value: "4": ratio 4 is greater than max/min = 3.000000',
      ],
    ],
    [
      'storage',
      limitRange({ type: 'PersistentVolumeClaim', max: { storage: '1Gi' } }),
      ['spec.limits[0].type: "PersistentVolumeClaim" is not supported by orc yet'],
    ],
    [
      'another resource',
      limitRange({ type: 'Pod', max: { 'ephemeral-storage': '1Gi' } }),
      ['spec.limits[0].max.ephemeral-storage: not supported by orc yet'],
    ],
    [
      'a resource with the name of what every object has',
      limitRange({ type: 'Pod', min: { cpu: '1' }, max: { toString: '1' } }),
      ['spec.limits[0].max.toString: not supported by orc yet'],
    ],
  ])('is refused with %s', (_, manifest, errors) => {
    expect(errorsOf(LimitRange, manifest)).toEqual(errors);
  });
});
