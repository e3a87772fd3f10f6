import { describe, expect, it } from 'vitest';
import { scaledValue } from '../../../api/percentage.ts';
import { Pod } from '../../../api/pod.ts';
import { isPodAvailable, isPodReady, podRequests, qosClass } from '../../../api/pod-facts.ts';
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

it('a pod is available when it has been ready for long enough', () => {
  const since = '2026-01-01T00:00:00Z';
  const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: since }] as const;
  const pod = { status: { phase: 'Running', conditions } } as const;
  const available = (minReadySeconds: number, seconds: number) =>
    isPodAvailable(pod, { minReadySeconds, now: Date.parse(since) + seconds * 1000 });
  expect([available(0, 0), available(10, 9), available(10, 10), isPodReady(pod)]).toEqual([
    true,
    false,
    true,
    true,
  ]);
});

it('percentages are rounded as Kubernetes does', () => {
  expect([
    scaledValue('25%', 10, 'up'),
    scaledValue('25%', 10, 'down'),
    scaledValue('100%', 3, 'down'),
    scaledValue(2, 10, 'up'),
    scaledValue('0%', 10, 'up'),
  ]).toEqual([3, 2, 3, 2, 0]);
});
