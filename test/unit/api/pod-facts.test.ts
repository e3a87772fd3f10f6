import { describe, expect, it } from 'vitest';
import { Pod } from '../../../api/pod.ts';
import { isPodReady, podRequests, qosClass } from '../../../api/pod-facts.ts';
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

describe('what a pod reserves', () => {
  it('is the sum of its containers', () => {
    expect(
      podRequests(spec([{ requests: { cpu: '100m', memory: '1Mi' } }, { limits: both }])),
    ).toEqual({
      cpuMilli: 1100,
      memoryBytes: 1025 * 1024 * 1024,
    });
  });

  it('is the greediest init container when that is more', () => {
    const init = [{ requests: { cpu: 4 } }, { requests: { cpu: 3, memory: '1' } }];
    expect(podRequests(spec([{ requests: { cpu: 1, memory: '2' } }], init))).toEqual({
      cpuMilli: 4000,
      memoryBytes: 2,
    });
  });
});

it.each([
  ['True', true],
  ['False', false],
  ['Unknown', false],
] as const)('a pod whose condition Ready is %s', (status, expected) => {
  const conditions = [
    { type: 'Initialized', status: 'True' },
    { type: 'Ready', status },
  ] as const;
  expect(isPodReady({ status: { phase: 'Running', conditions } })).toBe(expected);
});
