import { expect, it } from 'vitest';
import type { PodAssignment } from '../../../../agent/ledger/assignment.ts';
import { volumeSpecs, volumesSignature } from '../../../../agent/pods/volume-specs.ts';
import type { ConfigMap } from '../../../../api/config-map.ts';
import type { Secret } from '../../../../api/secret.ts';
import { anAssignment } from '../../../support/a-pod.ts';

const meta = { namespace: 'default', uid: 'u', resourceVersion: '1', creationTimestamp: '' };
const settings: ConfigMap = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'settings', ...meta },
  data: { a: 'one', b: 'two' },
  binaryData: { c: Buffer.from([0, 255]).toString('base64') },
};
const password: Secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'password', ...meta },
  type: 'Opaque',
  data: { key: Buffer.from('s3cret').toString('base64') },
};

function assigned(volume: object, spec: object = {}): PodAssignment {
  return {
    ...anAssignment({ volumes: [{ name: 'v', ...volume }], ...spec }),
    configMaps: new Map([['settings', settings]]),
    secrets: new Map([['password', password]]),
  };
}

/** "path mode text" of each file, or the problem. */
function filesOf(volume: object): readonly string[] | string {
  const plan = volumeSpecs(assigned(volume));
  if (!plan.ok) return plan.problem;
  const [spec] = plan.volumes;
  if (spec?.kind !== 'files') return 'not files';
  return spec.files.map(
    ({ path, mode, bytes }) =>
      `${path} ${mode.toString(8)} ${Buffer.from(bytes).toString('latin1')}`,
  );
}

const notMounted = 'MountVolume.SetUp failed for volume "v": ';

it.each<[string, object, readonly string[] | string]>([
  [
    'has every key of a ConfigMap as a file',
    { configMap: { name: 'settings' } },
    ['a 644 one', 'b 644 two', 'c 644 \u0000\u00ff'],
  ],
  [
    'has the keys that are named, where they are to be and as they may be used',
    {
      configMap: {
        name: 'settings',
        defaultMode: 0o400,
        items: [
          { key: 'b', path: 'dir/b.txt' },
          { key: 'a', path: 'a', mode: 0o755 },
        ],
      },
    },
    ['dir/b.txt 400 two', 'a 755 one'],
  ],
  ['has every key of a Secret', { secret: { secretName: 'password' } }, ['key 644 s3cret']],
  [
    'waits for a ConfigMap that is not there',
    { configMap: { name: 'nope' } },
    `${notMounted}configmap "nope" not found`,
  ],
  [
    'waits for a Secret that is not there',
    { secret: { secretName: 'nope' } },
    `${notMounted}secret "nope" not found`,
  ],
  ['is empty without an optional ConfigMap', { configMap: { name: 'nope', optional: true } }, []],
  ['is empty without an optional Secret', { secret: { secretName: 'nope', optional: true } }, []],
  [
    'waits for a key that is not there',
    { configMap: { name: 'settings', items: [{ key: 'x', path: 'x' }] } },
    `${notMounted}configmap "settings" references non-existent config key: x`,
  ],
  [
    'goes without a key that is optional',
    {
      configMap: {
        name: 'settings',
        optional: true,
        items: [
          { key: 'x', path: 'x' },
          { key: 'a', path: 'a' },
        ],
      },
    },
    ['a 644 one'],
  ],
])('%s', (_, volume, expected) => {
  expect(filesOf(volume)).toEqual(expected);
});

it.each([
  [{}, { medium: 'disk', sizeLimitBytes: undefined }],
  [
    { medium: 'Memory', sizeLimit: '64Mi' },
    { medium: 'memory', sizeLimitBytes: 67_108_864 },
  ],
])('makes an empty directory of %j', (emptyDir, expected) => {
  const owner = { uid: 1_000_000, gid: 1_000_000 };
  expect(volumeSpecs(assigned({ emptyDir }))).toEqual({
    ok: true,
    volumes: [{ name: 'v', owner, kind: 'empty-dir', ...expected }],
  });
});

it.each([
  ['the pod’s root on the host', {}, { uid: 1_000_000, gid: 1_000_000 }],
  ['its fsGroup', { securityContext: { fsGroup: 2000 } }, { uid: 1_000_000, gid: 1_002_000 }],
])('gives files to %s', (_, spec, owner) => {
  const plan = volumeSpecs(assigned({ emptyDir: {} }, spec));
  expect(plan.ok && plan.volumes[0]?.owner).toEqual(owner);
});

it('gives files to the host’s ids in a pod without a user namespace', () => {
  const assignment = { ...assigned({ emptyDir: {} }), userNamespace: undefined };
  const plan = volumeSpecs(assignment);
  expect(plan.ok && plan.volumes[0]?.owner).toEqual({ uid: 0, gid: 0 });
});

it('has a signature that changes with every change of what the pod names', () => {
  const assignment = assigned({ configMap: { name: 'settings' } });
  const newer = { ...settings, metadata: { ...settings.metadata, resourceVersion: '2' } };
  const signatures = [
    assignment,
    { ...assignment, configMaps: new Map([['settings', newer]]) },
    { ...assignment, configMaps: new Map<string, ConfigMap>() },
  ].map(volumesSignature);
  expect(new Set(signatures).size).toBe(3);
});
