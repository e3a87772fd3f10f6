import { describe, expect, it } from 'vitest';
import type { EndpointSlice } from '../../../../api/endpoint-slice.ts';
import { Pod } from '../../../../api/pod.ts';
import { Service } from '../../../../api/service.ts';
import { planEndpointSlices } from '../../../../controller/controllers/endpoint-slice-plan.ts';
import { anObject } from '../../../support/an-object.ts';

const service = (spec: object = {}) =>
  anObject(Service, {
    metadata: { name: 'web', labels: { tier: 'front' } },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }], ...spec },
  });
interface PodOptions {
  readonly ready?: boolean;
  readonly deleting?: boolean;
  readonly phase?: Pod['status']['phase'];
  readonly ip?: string;
  readonly port?: number;
  readonly spec?: object;
}
function pod(name: string, options: PodOptions = {}): Pod {
  const { ready = true, phase = 'Running', ip = '10.0.0.1', port = 8080, spec = {} } = options;
  const containers = [{ name: 'c', image: 'c:1', ports: [{ name: 'http', containerPort: port }] }];
  const object = anObject(
    Pod,
    { metadata: { name }, spec: { containers, nodeName: 'n1', ...spec } },
    options.deleting ? { deletionTimestamp: '2026-01-01T00:00:30Z' } : {},
  );
  const conditions = [{ type: 'Ready', status: ready ? 'True' : 'False' } as const];
  return { ...object, status: { ...object.status, phase, podIP: ip, conditions } };
}
const plan = (of: Service, pods: readonly Pod[], slices: readonly EndpointSlice[] = []) =>
  planEndpointSlices({ service: of, pods, slices });
/** The slices as they are once the plan is applied. */
const applied = (of: Service, pods: readonly Pod[], slices: readonly EndpointSlice[] = []) => {
  const { create, update, remove } = plan(of, pods, slices);
  const made = create.map((slice, i) => ({
    ...slice,
    metadata: {
      ...slice.metadata,
      name: `web-${slices.length + i}`,
      uid: `${slices.length + i}`,
      resourceVersion: '1',
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
  }));
  const kept = slices.filter((slice) => !remove.includes(slice));
  const current = kept.map(
    (slice) => update.find(({ metadata }) => metadata.name === slice.metadata.name) ?? slice,
  );
  return [...current, ...made];
};
const names = (slice: EndpointSlice | undefined) =>
  slice?.endpoints.map(({ targetRef }) => targetRef?.name);

describe('the endpoint slices of a Service', () => {
  it('say of each pod where it is and how it is', () => {
    const [slice] = applied(service(), [pod('a')]);
    expect(slice).toMatchObject({
      metadata: {
        generateName: 'web-',
        labels: {
          tier: 'front',
          'kubernetes.io/service-name': 'web',
          'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
        },
        ownerReferences: [{ kind: 'Service', name: 'web', controller: true }],
      },
      addressType: 'IPv4',
      ports: [{ name: '', protocol: 'TCP', port: 8080 }],
      endpoints: [
        {
          addresses: ['10.0.0.1'],
          conditions: { ready: true, serving: true, terminating: false },
          nodeName: 'n1',
          targetRef: { kind: 'Pod', name: 'a', uid: 'uid of a' },
        },
      ],
    });
  });

  const check = (name: string, [of, one]: [Service, Pod], expected: object) =>
    it(name, () => expect(applied(of, [one])[0]?.endpoints[0]?.conditions).toEqual(expected));
  check('name a pod that is not ready, as such', [service(), pod('a', { ready: false })], {
    ready: false,
    serving: false,
    terminating: false,
  });
  check(
    'send nothing new to a pod that ends, which may still serve',
    [service(), pod('a', { deleting: true })],
    {
      ready: false,
      serving: true,
      terminating: true,
    },
  );
  check(
    'call every pod ready if the Service publishes those too',
    [service({ publishNotReadyAddresses: true }), pod('a', { ready: false })],
    { ready: true, serving: true, terminating: false },
  );

  it('leave out pods without an address and those that ended', () => {
    expect(applied(service(), [pod('a', { ip: '' }), pod('b', { phase: 'Failed' })])).toEqual([]);
  });

  it('are kept apart where a named port is another number', () => {
    const slices = applied(service(), [pod('a'), pod('b', { port: 9090 }), pod('c')]);
    expect(slices.map((slice) => [slice.ports?.[0]?.port, names(slice)])).toEqual([
      [8080, ['a', 'c']],
      [9090, ['b']],
    ]);
  });

  it('give a headless Service names for its pods', () => {
    const one = pod('a', { spec: { hostname: 'first', subdomain: 'web' } });
    const [slice] = applied(service({ clusterIP: 'None' }), [one]);
    expect(slice?.endpoints[0]?.hostname).toBe('first');
    expect(slice?.metadata.labels).toHaveProperty(['service.kubernetes.io/headless'], '');
  });

  it('hold a hundred each', () => {
    const pods = Array.from({ length: 250 }, (_, i) => pod(`p${i}`));
    expect(applied(service(), pods).map((slice) => slice.endpoints.length)).toEqual([100, 100, 50]);
  });

  it('are not written when nothing changes', () => {
    const pods = [pod('a'), pod('b')];
    expect(plan(service(), pods, applied(service(), pods))).toEqual({
      create: [],
      update: [],
      remove: [],
    });
  });

  it('change only where an endpoint changes; freed room is used again', () => {
    const pods = Array.from({ length: 150 }, (_, i) => pod(`p${String(i).padStart(3, '0')}`));
    const before = applied(service(), pods);
    const { create, update, remove } = plan(service(), [...pods.slice(1), pod('new')], before);
    expect([create, remove, update.length]).toEqual([[], [], 1]);
    expect(names(update[0])).toContain('new');
    expect(names(update[0])).not.toContain('p000');
  });

  it('go when they are empty', () => {
    const before = applied(service(), [pod('a')]);
    expect(plan(service(), [], before).remove).toEqual(before);
  });
});
