import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Deployment } from '../../../../../api/deployment.ts';
import { Pod } from '../../../../../api/pod.ts';
import { Service } from '../../../../../api/service.ts';
import { applyStrategicMergePatch } from '../../../../../controller/apiserver/patch/strategic-merge.ts';

const patchPod = (spec: object, patch: object) =>
  applyStrategicMergePatch(Pod.schema, { spec }, { spec: patch });
const web = { name: 'web', image: 'nginx:1', env: [{ name: 'A', value: '1' }] };
const side = { name: 'side', image: 'envoy:1' };

describe('a strategic merge patch', () => {
  it.each<[string, object, object, object]>([
    [
      'merges containers by name',
      { containers: [web, side] },
      { containers: [{ name: 'web', image: 'nginx:2' }] },
      { containers: [{ ...web, image: 'nginx:2' }, side] },
    ],
    [
      'puts a container that is new in front of those that are only there',
      { containers: [web] },
      { containers: [side] },
      { containers: [side, web] },
    ],
    [
      'deletes a container',
      { containers: [web, side] },
      { containers: [{ name: 'web', $patch: 'delete' }] },
      { containers: [side] },
    ],
    [
      'replaces a list as a whole when told so',
      { containers: [web] },
      { containers: [{ $patch: 'replace' }, side] },
      { containers: [side] },
    ],
    [
      'replaces an object as a whole when told so',
      { containers: [], nodeSelector: { a: 'b' } },
      { nodeSelector: { $patch: 'replace', c: 'd' } },
      { containers: [], nodeSelector: { c: 'd' } },
    ],
    [
      'deletes with null, deep down too',
      { containers: [{ ...web, workingDir: '/' }], hostname: 'a' },
      { hostname: null, containers: [{ name: 'web', workingDir: null, env: null }] },
      { containers: [{ name: 'web', image: 'nginx:1' }] },
    ],
    [
      'leaves no null in what is new',
      { containers: [] },
      { containers: [{ name: 'new', image: 'a', workingDir: null }] },
      { containers: [{ name: 'new', image: 'a' }] },
    ],
    [
      'orders what it names, and lets the rest keep its place',
      { containers: [{ name: 'a' }, { name: 'injected' }, { name: 'b' }, { name: 'c' }] },
      {
        '$setElementOrder/containers': [{ name: 'c' }, { name: 'a' }, { name: 'b' }, { name: 'd' }],
        containers: [{ name: 'd' }],
      },
      {
        containers: [
          { name: 'injected' },
          { name: 'c' },
          { name: 'a' },
          { name: 'b' },
          { name: 'd' },
        ],
      },
    ],
    [
      'orders without changing',
      { containers: [{ name: 'a' }, { name: 'b' }] },
      { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] },
      { containers: [{ name: 'b' }, { name: 'a' }] },
    ],
    [
      'keeps only the keys it retains: a volume changes its kind',
      { volumes: [{ name: 'v', emptyDir: {} }] },
      { volumes: [{ name: 'v', $retainKeys: ['name', 'secret'], secret: { secretName: 's' } }] },
      { volumes: [{ name: 'v', secret: { secretName: 's' } }] },
    ],
    [
      'replaces a list without keys',
      { containers: [], tolerations: [{ key: 'a' }] },
      { tolerations: [{ key: 'b' }] },
      { containers: [], tolerations: [{ key: 'b' }] },
    ],
  ])('%s', (...[, spec, patch, expected]) => {
    expect(patchPod(spec, patch)).toEqual({ spec: expected });
  });

  it('unites sets, and takes out of them', () => {
    const pod = { metadata: { finalizers: ['a/x', 'a/y'] } };
    const patch = {
      metadata: {
        '$deleteFromPrimitiveList/finalizers': ['a/x'],
        '$setElementOrder/finalizers': ['a/z', 'a/y'],
        finalizers: ['a/z'],
      },
    };
    expect(applyStrategicMergePatch(Pod.schema, pod, patch)).toEqual({
      metadata: { finalizers: ['a/z', 'a/y'] },
    });
  });

  it('tells ports of the same number apart by their protocol', () => {
    const tcp = { port: 53, protocol: 'TCP', name: 'dns-tcp' };
    const udp = { port: 53, protocol: 'UDP', name: 'dns' };
    const patch = { spec: { ports: [{ port: 53, protocol: 'UDP', name: 'renamed' }] } };
    expect(
      applyStrategicMergePatch(Service.schema, { spec: { ports: [tcp, udp] } }, patch),
    ).toEqual({
      spec: { ports: [tcp, { ...udp, name: 'renamed' }] },
    });
  });

  it('finds a port by its number alone', () => {
    const udp = { port: 53, protocol: 'UDP' };
    const patch = { spec: { ports: [{ port: 53, name: 'dns' }] } };
    expect(applyStrategicMergePatch(Service.schema, { spec: { ports: [udp] } }, patch)).toEqual({
      spec: { ports: [{ ...udp, name: 'dns' }] },
    });
  });

  it('sets the strategy anew: what kubectl sends for Recreate', () => {
    const live = { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } };
    const patch = { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } };
    expect(applyStrategicMergePatch(Deployment.schema, live, patch)).toEqual({
      spec: { strategy: { type: 'Recreate' } },
    });
  });

  it.each<[string, object, string]>([
    ['an entry without its key', { containers: [{ image: 'x' }] }, 'merge key: name'],
    ['a directive that is none', { $patch: 'frobnicate' }, 'unknown patch directive'],
    ['an order that is no list', { '$setElementOrder/containers': 'x' }, 'must be a list'],
  ])('refuses %s', (_, patch, message) => {
    expect(() => patchPod({ containers: [web] }, patch)).toThrow(message);
  });
});

describe('properties', () => {
  const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1 });
  const containers = names.chain((list) =>
    fc.tuple(...list.map((name) => fc.record({ name: fc.constant(name), image: fc.string() }))),
  );

  it('applying a patch twice is applying it once', () => {
    fc.assert(
      fc.property(containers, containers, names, (live, patch, order) => {
        const change = {
          containers: patch,
          '$setElementOrder/containers': order.map((name) => ({ name })),
        };
        const once = patchPod({ containers: live }, change) as { spec: object };
        expect(patchPod(once.spec, change)).toEqual(once);
      }),
    );
  });

  it('nothing is lost, nothing doubled, and what was patched is there', () => {
    fc.assert(
      fc.property(containers, containers, (live, patch) => {
        const result = patchPod({ containers: live }, { containers: patch }) as {
          spec: { containers: readonly { name: string; image: string }[] };
        };
        const got = new Map(result.spec.containers.map(({ name, image }) => [name, image]));
        expect(got.size).toBe(result.spec.containers.length);
        expect(got).toEqual(new Map([...live, ...patch].map(({ name, image }) => [name, image])));
      }),
    );
  });

  it('named entries come in the given order', () => {
    fc.assert(
      fc.property(containers, names, (live, order) => {
        const change = { '$setElementOrder/containers': order.map((name) => ({ name })) };
        const result = patchPod({ containers: live }, change) as {
          spec: { containers: readonly { name: string }[] };
        };
        const got = result.spec.containers.map(({ name }) => name);
        const present = order.filter((name) => live.some((one) => one.name === name));
        expect(got.filter((name) => order.some((one) => one === name))).toEqual(present);
      }),
    );
  });
});
