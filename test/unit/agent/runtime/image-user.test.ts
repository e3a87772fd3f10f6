import { expect, it } from 'vitest';
import type { ContainerSecurity } from '../../../../agent/ports.ts';
import { resolveUser } from '../../../../agent/runtime/image-user.ts';
import { ordinarySecurity } from '../../../support/container-spec.ts';

const passwd = [
  'root:x:0:0:root:/root:/bin/sh',
  'web:x:33:34::/var/www:/bin/false',
  'wrap:x:4294967296:0::/:/bin/sh',
  '1000:x:7:7::/digits:/bin/sh',
].join('\n');
const group = ['root:x:0:', 'www:x:34:', 'logs:x:50:web,other', 'disk:x:6:other'].join('\n');

const request = (imageUser: string, security: Partial<ContainerSecurity> = {}) => ({
  security: { ...ordinarySecurity, ...security },
  imageUser,
  passwd,
  group,
  pod: 'shop_default(a)',
  container: 'web',
});

const resolved: readonly [string, Parameters<typeof request>, object][] = [
  [
    'runs as root when nobody says otherwise',
    [''],
    { uid: 0, gid: 0, additionalGids: [0], home: '/root' },
  ],
  [
    'finds a name with its group and further groups',
    ['web'],
    { uid: 33, gid: 34, additionalGids: [34, 50], home: '/var/www' },
  ],
  [
    'finds a number with its group',
    ['33'],
    { uid: 33, gid: 34, additionalGids: [34, 50], home: '/var/www' },
  ],
  [
    'takes a number that nobody has, with group 0',
    ['4242'],
    { uid: 4242, gid: 0, additionalGids: [0], home: undefined },
  ],
  [
    'prefers a user whose name is the number',
    ['1000'],
    { uid: 7, gid: 7, additionalGids: [7], home: '/digits' },
  ],
  [
    'takes a named group instead',
    ['web:disk'],
    { uid: 33, gid: 6, additionalGids: [6, 50], home: '/var/www' },
  ],
  [
    'takes a numbered group instead',
    ['web:99'],
    { uid: 33, gid: 99, additionalGids: [99, 50], home: '/var/www' },
  ],
  [
    'lets the pod’s user replace the image’s user and group',
    ['web:disk', { runAsUser: 5 }],
    { uid: 5, gid: 0, additionalGids: [0], home: undefined },
  ],
  [
    'adds the pod’s groups once each',
    ['web', { runAsGroup: 8, supplementalGroups: [50, 9], fsGroup: 10 }],
    { uid: 33, gid: 8, additionalGids: [8, 50, 9, 10], home: '/var/www' },
  ],
];
it.each(resolved)('%s', (_, input, expected) => {
  expect(resolveUser(request(...input))).toEqual(expected);
});

const refused: readonly [string, Parameters<typeof request>, RegExp][] = [
  ['an unknown name', ['nobody'], /unable to find user nobody/],
  ['an unknown group', ['web:nogroup'], /unable to find group nogroup/],
  ['a number that wraps round to root', ['4294967296'], /out of range/],
  ['a negative number', ['-1'], /unable to find user -1/],
  ['a number with more digits than fit', [`1${'0'.repeat(400)}`], /out of range/],
  ['a name whose id wraps round to root', ['wrap'], /unable to find user wrap/],
  [
    'root, under runAsNonRoot',
    ['', { runAsNonRoot: true }],
    /and image will run as root \(pod: "shop_default\(a\)", container: web\)$/,
  ],
  [
    'root in disguise, under runAsNonRoot',
    ['00', { runAsNonRoot: true }],
    /image will run as root/,
  ],
  [
    'a name, under runAsNonRoot',
    ['web', { runAsNonRoot: true }],
    /image has non-numeric user \(web\), cannot verify user is non-root/,
  ],
  [
    'runAsUser 0, under runAsNonRoot',
    ['33', { runAsNonRoot: true, runAsUser: 0 }],
    /^container's runAsUser breaks non-root policy/,
  ],
];
it.each(refused)('refuses %s', (_, input, message) => {
  expect(() => resolveUser(request(...input))).toThrow(
    expect.objectContaining({
      reason: 'CreateContainerConfigError',
      message: expect.stringMatching(message),
    }),
  );
});

it('accepts a numeric user under runAsNonRoot', () => {
  expect(resolveUser(request('33', { runAsNonRoot: true })).uid).toBe(33);
});
