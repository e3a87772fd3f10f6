import { describe, expect, it } from 'vitest';
import { Pod } from '../../../api/pod.ts';
import { qosClass } from '../../../api/pod-facts.ts';
import { stored } from '../../support/parse.ts';

const spec = (containers: readonly object[], initContainers: readonly object[] = []) =>
  stored(Pod, {
    metadata: { name: 'web' },
    spec: {
      containers: containers.map((resources, i) => ({ name: `c${i}`, image: 'a', resources })),
      initContainers: initContainers.map((resources, i) => ({
        name: `i${i}`,
        image: 'a',
        resources,
      })),
    },
  }).spec;
const both = { cpu: '1', memory: '1Gi' };

describe('the quality of service class', () => {
  it.each([
    ['BestEffort', spec([{}])],
    ['BestEffort', spec([{ requests: { cpu: 0 } }])],
    ['Burstable', spec([{ requests: { cpu: '1m' } }])],
    ['Burstable', spec([{ limits: both }, {}])],
    ['Burstable', spec([{ limits: both }], [{}])],
    ['Burstable', spec([{ limits: both, requests: { cpu: '500m' } }])],
    ['Guaranteed', spec([{ limits: both }])],
    ['Guaranteed', spec([{ limits: both, requests: { cpu: '1000m', memory: '1024Mi' } }])],
  ])('is %s', (expected, pod) => {
    expect(qosClass(pod)).toBe(expected);
  });
});
