import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileSeccomp } from '../../../agent/kernel/seccomp.ts';
import type { LinuxSeccomp } from '../../../agent/oci/oci-spec.ts';
import { seccompProfile } from '../../../agent/runtime/seccomp-profile.ts';
import { type OciBox, type Over, openOciBox } from '../../support/oci-box.ts';
import { waitFor } from '../../support/wait-for.ts';

const source = fileURLToPath(new URL('../../support/syscall-probe.c', import.meta.url));
let box: OciBox;
beforeAll(async () => {
  box = await openOciBox();
  execFileSync('gcc', ['-static', '-o', `${box.rootfs}/bin/probe`, source]);
});
afterAll(() => box?.end());

const under = (seccomp: LinuxSeccomp): Over => ({
  linux: { seccomp },
  place: { filter: compileSeccomp(seccomp) },
});

/** The script's output under this filter. Of all calls setfsuid is tried: it never fails, and nobody needs it. */
const runUnder = (seccomp: LinuxSeccomp, script: string) => box.run(script, under(seccomp));

type Rule = NonNullable<LinuxSeccomp['syscalls']>[number];
const onCall = (rule: Omit<Rule, 'names'>, rest: Partial<LinuxSeccomp> = {}): LinuxSeccomp => ({
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['setfsuid', 'no_such_call'], ...rule }],
  ...rest,
});
const probe = 'probe setfsuid 5 2>/dev/null; test $? = 159 && echo killed';

describe('linux.seccomp.syscalls.action, linux.seccomp.syscalls.names:', () => {
  it.for([
    ['SCMP_ACT_ALLOW', 'done'],
    ['SCMP_ACT_LOG', 'done'],
    ['SCMP_ACT_ERRNO', 'errno 1'],
    ['SCMP_ACT_TRACE', 'errno 38'],
    ['SCMP_ACT_TRAP', 'trap 0'],
    ['SCMP_ACT_KILL', 'killed'],
    ['SCMP_ACT_KILL_THREAD', 'killed'],
    ['SCMP_ACT_KILL_PROCESS', 'killed'],
  ] as const)('%s: %s', async ([action, outcome]) => {
    const otherwise = action === 'SCMP_ACT_ALLOW' ? 'SCMP_ACT_LOG' : 'SCMP_ACT_ALLOW';
    const filter = onCall({ action }, { defaultAction: otherwise });
    expect(await runUnder(filter, probe)).toEqual([outcome]);
  });

  it('SCMP_ACT_NOTIFY: asks whoever listens at linux.seccomp.listenerPath', async () => {
    const listenerPath = `${box.dir}/listener`;
    const told: unknown[] = [];
    const server = createServer((socket) =>
      socket.once('data', (data) => told.push(JSON.parse(data.toString()))),
    );
    try {
      await new Promise<void>((listening) => server.listen(listenerPath, listening));
      const listenerMetadata = 'of linux.seccomp.listenerMetadata: \u0001';
      const seccomp = onCall({ action: 'SCMP_ACT_NOTIFY' }, { listenerPath, listenerMetadata });
      const started = await box.start(`${probe}; exec sleep 1000`, under(seccomp));
      // The descriptor that came with it was closed, unused: then the call fails.
      await waitFor('the call', () => started.lines().length > 0);
      expect(started.lines()).toEqual(['errno 38']);
      expect(await started.exec(probe)).toEqual(['errno 38']);
      await started.stop();
      const { pid, container: id, spec } = started;
      const { ociVersion } = spec;
      const state = { ociVersion, id, bundle: box.dir };
      const also = { ociVersion, fds: ['seccompFd'], metadata: listenerMetadata };
      expect(told).toEqual([
        { ...also, pid, state: { ...state, pid, status: 'creating' } },
        { ...also, pid: expect.any(Number), state: expect.objectContaining(state) },
      ]);
    } finally {
      server.close();
    }
  });

  it('SCMP_ACT_NOTIFY: linux.seccomp.listenerPath must fit into an address', async () => {
    const listenerPath = `/tmp/${'x'.repeat(110)}`;
    const started = runUnder(onCall({ action: 'SCMP_ACT_NOTIFY' }, { listenerPath }), probe);
    await expect(started).rejects.toMatchObject({ code: 'ENAMETOOLONG' });
  });

  it('SCMP_ACT_NOTIFY: not where nobody could answer', () => {
    const write = { names: ['write'], action: 'SCMP_ACT_NOTIFY' } as const;
    for (const filter of [
      { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [write] },
      { defaultAction: 'SCMP_ACT_NOTIFY' },
    ] as const)
      expect(() => compileSeccomp(filter)).toThrow(
        expect.objectContaining({
          cause: expect.objectContaining({ message: expect.stringMatching(/by nobody/) }),
        }),
      );
  });
});

it('linux.seccomp.syscalls.errnoRet: is the error, or what a trap tells', async () => {
  const action = 'SCMP_ACT_ERRNO';
  expect(await runUnder(onCall({ action, errnoRet: 71 }), probe)).toEqual(['errno 71']);
});

it('linux.seccomp.defaultAction, linux.seccomp.defaultErrnoRet: for what no rule names', async () => {
  const { syscalls = [], ...rest } = seccompProfile([], process.arch);
  const others = syscalls.map((rule) => ({
    ...rule,
    names: rule.names.filter((name) => name !== 'setfsuid'),
  }));
  const filter = { ...rest, syscalls: others, defaultErrnoRet: 72 };
  expect(await runUnder(filter, probe)).toEqual(['errno 72']);
  expect(await runUnder({ ...rest, syscalls }, probe)).toEqual(['done']);
});

describe('linux.seccomp.syscalls.args:', () => {
  const high = 0xffff_ffff_0000_0005n;
  /** Which of these values the call is refused with. */
  const values = [4n, 5n, 6n, high];
  it.for([
    ['SCMP_CMP_NE', 5, 0, [4n, 6n, high]],
    ['SCMP_CMP_LT', 5, 0, [4n]],
    ['SCMP_CMP_LE', 5, 0, [4n, 5n]],
    ['SCMP_CMP_EQ', 5, 0, [5n]],
    ['SCMP_CMP_EQ', high, 0, [high]],
    ['SCMP_CMP_GE', 5, 0, [5n, 6n, high]],
    ['SCMP_CMP_GT', 5, 0, [6n, high]],
    ['SCMP_CMP_MASKED_EQ', 3, 2, [6n]],
    ['SCMP_CMP_MASKED_EQ', 0xff00_0000_0000_0000n, 0xff00_0000_0000_0000n, [high]],
  ] as const)('%s %s %s', async ([op, value, valueTwo, refused]) => {
    const args = [{ index: 0, op, value, valueTwo }];
    const script = values.map((each) => `probe setfsuid ${each}`).join('; ');
    const lines = await runUnder(onCall({ action: 'SCMP_ACT_ERRNO', args }), script);
    expect(values.filter((_, i) => lines[i] === 'errno 1')).toEqual(refused);
  });

  it('several on one argument are alternatives', async () => {
    const args = [4, 6].map((value) => ({ index: 0, op: 'SCMP_CMP_EQ', value }) as const);
    const script = 'probe setfsuid 4; probe setfsuid 5; probe setfsuid 6';
    const lines = await runUnder(onCall({ action: 'SCMP_ACT_ERRNO', args }), script);
    expect(lines).toEqual(['errno 1', 'done', 'errno 1']);
  });
});

describe('linux.seccomp.architectures:', () => {
  it.runIf(process.arch === 'x64')('others than these and the machine’s own fail', async () => {
    const rule = { action: 'SCMP_ACT_ERRNO', errnoRet: 71 } as const;
    expect(await runUnder(onCall(rule), 'probe setfsuid32 5')).toEqual(['errno 38']);
    const both = onCall(rule, { architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'] });
    expect(await runUnder(both, 'probe setfsuid32 5; probe setfsuid 5')).toEqual([
      'errno 71',
      'errno 71',
    ]);
  });

  it('unknown ones are an error', () => {
    const filter = onCall({ action: 'SCMP_ACT_ERRNO' }, { architectures: ['SCMP_ARCH_VAX'] });
    expect(() => compileSeccomp(filter)).toThrow('compiling the seccomp filter');
  });
});

it('linux.seccomp.flags: are given to the kernel, which refuses those that don’t fit', async () => {
  const flags = (...names: readonly string[]) =>
    onCall({ action: 'SCMP_ACT_ERRNO' }, { flags: names.map((n) => `SECCOMP_FILTER_FLAG_${n}`) });
  expect(await runUnder(flags('LOG', 'SPEC_ALLOW', 'TSYNC'), probe)).toEqual(['errno 1']);
  await expect(runUnder(flags('WAIT_KILLABLE_RECV'), probe)).rejects.toThrow(/seccomp: EINVAL/);
  expect(() => compileSeccomp(flags('FUTURE'))).toThrow('compiling the seccomp filter');
});
