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

/** "path mode text" of each file. */
function filesOf(volume: object): readonly string[] {
  const [spec] = volumeSpecs(assigned(volume));
  if (spec?.kind !== 'files') return ['not files'];
  return spec.files.map(
    ({ path, mode, bytes }) =>
      `${path} ${mode.toString(8)} ${Buffer.from(bytes).toString('latin1')}`,
  );
}

it.each<[string, object, readonly string[]]>([
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
  ['is empty without an optional ConfigMap', { configMap: { name: 'nope', optional: true } }, []],
  ['is empty without an optional Secret', { secret: { secretName: 'nope', optional: true } }, []],
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

it.each<[string, object, string]>([
  ['a ConfigMap', { configMap: { name: 'nope' } }, 'configmap "nope" not found'],
  ['a Secret', { secret: { secretName: 'nope' } }, 'secret "nope" not found'],
  [
    'a key',
    { configMap: { name: 'settings', items: [{ key: 'x', path: 'x' }] } },
    'configmap "settings" references non-existent config key: x',
  ],
])('waits for %s that is not there', (_, volume, message) => {
  expect(() => volumeSpecs(assigned(volume))).toThrow(
    expect.objectContaining({
      message: 'MountVolume.SetUp failed for volume "v"',
      cause: expect.objectContaining({ message }),
    }),
  );
});

it.each([
  [{}, { medium: 'disk', sizeLimitBytes: undefined }],
  [
    { medium: 'Memory', sizeLimit: '64Mi' },
    { medium: 'memory', sizeLimitBytes: 67_108_864 },
  ],
])('makes an empty directory of %j', (emptyDir, expected) => {
  const owner = { uid: 1_000_000, gid: 1_000_000 };
  expect(volumeSpecs(assigned({ emptyDir }))).toEqual([
    { name: 'v', owner, kind: 'empty-dir', ...expected },
  ]);
});

it.each([
  ['the pod’s root on the host', {}, { uid: 1_000_000, gid: 1_000_000 }],
  ['its fsGroup', { securityContext: { fsGroup: 2000 } }, { uid: 1_000_000, gid: 1_002_000 }],
])('gives files to %s', (_, spec, owner) => {
  expect(volumeSpecs(assigned({ emptyDir: {} }, spec))[0]?.owner).toEqual(owner);
});

it('gives files to the host’s ids in a pod without a user namespace', () => {
  const assignment = { ...assigned({ emptyDir: {} }), userNamespace: undefined };
  expect(volumeSpecs(assignment)[0]?.owner).toEqual({ uid: 0, gid: 0 });
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
