import { describe, expect, it } from 'vitest';
import type { OciError } from '../../../../agent/oci/oci-error.ts';
import { parseOciProcess, parseOciSpec } from '../../../../agent/oci/oci-spec.ts';

const minimal = { ociVersion: '1.2.0', process: { args: ['sh'], cwd: '/' } };
const parse = (over: object) => parseOciSpec(JSON.stringify({ ...minimal, ...over }));
const refusal = (act: () => unknown): Partial<OciError> => {
  try {
    act();
  } catch (error) {
    const { field, reason, message } = error as OciError;
    return { field, reason, message };
  }
  return {};
};

describe('config.json', () => {
  it('keeps what is known, and ignores what isn’t, as the specification says', () => {
    const spec = parse({
      windows: { layerFolders: ['x'] },
      extension: 1,
      hostname: 'shop',
      linux: { maskedPaths: ['/proc/kcore'], future: {} },
      process: { ...minimal.process, user: { uid: 4294967294, username: 'x' } },
    });
    expect(spec).toEqual({
      ociVersion: '1.2.0',
      process: { args: ['sh'], cwd: '/', user: { uid: 4294967294 } },
      hostname: 'shop',
      linux: { maskedPaths: ['/proc/kcore'] },
    });
  });

  it('takes null and empty lists as Go writes them', () => {
    expect(parse({ mounts: null, linux: { devices: null } })).toEqual({ ...minimal, linux: {} });
  });

  it('loses nothing of 64 bits', () => {
    const text = `{"args":["a"],"cwd":"/","rlimits":[{"type":"RLIMIT_CORE","hard":18446744073709551615,"soft":3}]}`;
    expect(parseOciProcess(text).rlimits).toEqual([
      { type: 'RLIMIT_CORE', hard: 18446744073709551615n, soft: 3 },
    ]);
  });

  const rows: readonly [object, Partial<OciError>][] = [
    [
      { linux: { intelRdt: { closID: 'x' } } },
      {
        field: 'linux.intelRdt',
        reason: 'unsupported',
        message: 'linux.intelRdt: not supported by orc yet',
      },
    ],
    [{ linux: { rootfsPropagation: 'constructor' } }, { field: 'linux.rootfsPropagation' }],
    [{ linux: { personality: { domain: 'toString' } } }, { field: 'linux.personality.domain' }],
    [
      { linux: { personality: { domain: 'LINUX', flags: ['x'] } } },
      { field: 'linux.personality.flags', reason: 'unsupported' },
    ],
    [
      { hooks: { poststop: [{ path: '/x', timeout: 0 }] } },
      { field: 'hooks.poststop[0].timeout', reason: 'invalid' },
    ],
    [
      { linux: { devices: [{ path: '/dev/x', type: 'c', major: 2 ** 32, minor: 0 }] } },
      { field: 'linux.devices[0].major' },
    ],
    [
      { linux: { resources: { devices: [{ allow: true, minor: -2 }] } } },
      { field: 'linux.resources.devices[0].minor' },
    ],
    [
      { process: { ...minimal.process, consoleSize: { width: 70_000, height: 1 } } },
      { field: 'process.consoleSize.width' },
    ],
    [{ hostname: 'a\0b' }, { field: 'hostname', reason: 'invalid' }],
    [{ process: { args: ['a', 'b\0'], cwd: '/' } }, { field: 'process.args[1]' }],
    [{ mounts: [{ destination: '/a\0' }] }, { field: 'mounts[0].destination' }],
    [{ linux: { memoryPolicy: {} } }, { field: 'linux.memoryPolicy.mode' }],
    [{ linux: { intelRdt: { closID: 'x' } } }, { field: 'linux.intelRdt' }],
    [{ ociVersion: '2.0.0' }, { field: 'ociVersion', reason: 'invalid' }],
    [{ process: { args: ['a'] } }, { field: 'process.cwd', reason: 'invalid' }],
    [{ hostname: 3 }, { field: 'hostname' }],
    [{ process: { ...minimal.process, user: { uid: -1 } } }, { field: 'process.user.uid' }],
    [
      { linux: { namespaces: [{ type: 'nett' }] } },
      { field: 'linux.namespaces[0].type', reason: 'invalid' },
    ],
    [
      { process: { ...minimal.process, rlimits: [{ type: 'X', hard: -1, soft: 0 }] } },
      { field: 'process.rlimits[0].hard' },
    ],
  ];
  it.each(rows)('refuses %j', (over, expected) => {
    expect(refusal(() => parse(over))).toMatchObject(expected);
  });

  it('annotations, linux.cgroupsPath: are kept as they are', () => {
    const over = { annotations: { a: 'b=c' }, linux: { cgroupsPath: '/x' } };
    expect(parse(over)).toMatchObject(over);
  });

  it('must be JSON, and an integer of 64 bits at most', () => {
    expect(refusal(() => parseOciSpec('{'))).toMatchObject({ field: 'config.json' });
    const tooLarge = `{"args":["a"],"cwd":"/","rlimits":[{"type":"X","hard":18446744073709551616,"soft":3}]}`;
    expect(refusal(() => parseOciProcess(tooLarge))).toMatchObject({
      field: 'process.rlimits[0].hard',
    });
  });
});
