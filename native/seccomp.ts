import { closeSync, fstatSync, readSync } from 'node:fs';
import koffi from 'koffi';
import { openLibrary } from './open-library.ts';

/** A rule of libseccomp: the action for a system call if all of its arguments compare so. */
export interface SeccompRule {
  readonly action: number;
  readonly syscall: string;
  readonly args: readonly SeccompArg[];
}

export interface SeccompArg {
  /** Which argument, 0…5. */
  readonly index: number;
  /** `SCMP_CMP_*` */
  readonly compare: number;
  readonly value: bigint;
  /** The second operand, for SCMP_CMP_MASKED_EQ: what the masked argument must be. */
  readonly masked: bigint;
}

/** seccomp.h */
export const SCMP_ACT_ALLOW = 0x7fff0000;
export const scmpActErrno = (errno: number): number => 0x00050000 | errno;
export const SCMP_CMP_NE = 1;
export const SCMP_CMP_EQ = 4;
export const SCMP_CMP_MASKED_EQ = 7;
export const SCMP_ARCH_X86 = 0x40000003;
export const SCMP_ARCH_ARM = 0x40000028;

/**
 * Compiles a filter for the machine's own architecture and the further ones: struct sock_filter[].
 * Names of system calls that the library doesn't know are left out. Takes about 10 ms. Throws if
 * the library is not installed, naming the package that brings it, or with libseccomp's errno.
 */
export function compileFilter(filter: {
  readonly defaultAction: number;
  readonly architectures: readonly number[];
  readonly rules: readonly SeccompRule[];
}): Buffer {
  const lib = loadLibrary();
  const context: unknown = lib.init(filter.defaultAction);
  if (context === null) throw new Error('seccomp_init failed');
  try {
    check('seccomp_attr_set', lib.setAttribute(context, SCMP_FLTATR_CTL_OPTIMIZE, BINARY_TREE));
    check('seccomp_attr_set', lib.setAttribute(context, SCMP_FLTATR_ACT_BADARCH, scmpActErrno(38)));
    for (const architecture of filter.architectures)
      check('seccomp_arch_add', lib.addArchitecture(context, architecture));
    // libseccomp refuses rules that say what happens anyway.
    const telling = filter.rules.filter(({ action }) => action !== filter.defaultAction);
    for (const rule of telling) addRule(lib, context, rule);
    return exportFilter(lib, context);
  } finally {
    lib.release(context);
  }
}

const SCMP_FLTATR_ACT_BADARCH = 2;
const SCMP_FLTATR_CTL_OPTIMIZE = 8;
const BINARY_TREE = 2;
const SCMP_UNKNOWN = -1;

type Library = ReturnType<typeof loadLibrary>;

function addRule(lib: Library, context: unknown, rule: SeccompRule): void {
  const number: number = lib.resolve(rule.syscall);
  if (number === SCMP_UNKNOWN) return;
  const args = Buffer.concat(rule.args.map(encodeArg));
  const status = lib.addRule(context, rule.action, number, rule.args.length, args);
  check(`seccomp_rule_add ${rule.syscall}`, status);
}

/** struct scmp_arg_cmp */
function encodeArg({ index, compare, value, masked }: SeccompArg): Buffer {
  const bytes = Buffer.alloc(24);
  bytes.writeUInt32LE(index, 0);
  bytes.writeUInt32LE(compare, 4);
  bytes.writeBigUInt64LE(value, 8);
  bytes.writeBigUInt64LE(masked, 16);
  return bytes;
}

/** libseccomp 2.5 exports to a descriptor only. */
function exportFilter(lib: Library, context: unknown): Buffer {
  const fd: number = lib.memfd('seccomp', 0);
  if (fd < 0) throw new Error(`memfd_create: errno ${koffi.errno()}`);
  try {
    check('seccomp_export_bpf', lib.exportBpf(context, fd));
    const program = Buffer.alloc(fstatSync(fd).size);
    readSync(fd, program, 0, program.length, 0);
    return program;
  } finally {
    closeSync(fd);
  }
}

function check(what: string, status: number): void {
  if (status < 0) throw new Error(`${what}: errno ${-status}`);
}

function loadLibrary() {
  const seccomp = openLibrary('libseccomp.so.2', 'libseccomp2');
  return {
    init: seccomp.func('void *seccomp_init(uint32_t action)'),
    release: seccomp.func('void seccomp_release(void *context)'),
    setAttribute: seccomp.func(
      'int seccomp_attr_set(void *context, int attribute, uint32_t value)',
    ),
    addArchitecture: seccomp.func('int seccomp_arch_add(void *context, uint32_t architecture)'),
    resolve: seccomp.func('int seccomp_syscall_resolve_name(const char *name)'),
    addRule: seccomp.func(
      'int seccomp_rule_add_array(void *context, uint32_t action, int call, uint32_t n, void *args)',
    ),
    exportBpf: seccomp.func('int seccomp_export_bpf(void *context, int fd)'),
    memfd: koffi.load('libc.so.6').func('int memfd_create(const char *name, uint32_t flags)'),
  } as const;
}
