import { closeSync, fstatSync, readSync } from 'node:fs';
import koffi from 'koffi';
import { openLibrary } from './open-library.ts';

/** `linux.seccomp` of the OCI runtime specification, whose words are libseccomp's own. */
export interface SeccompFilter {
  readonly defaultAction: keyof typeof actions;
  readonly defaultErrnoRet?: number | undefined;
  /** Further ones than the machine's own: SCMP_ARCH_… */
  readonly architectures?: readonly string[] | undefined;
  readonly syscalls?: readonly SeccompRule[] | undefined;
}

interface SeccompRule {
  readonly names: readonly string[];
  readonly action: keyof typeof actions;
  readonly errnoRet?: number | undefined;
  readonly args?: readonly SeccompArg[] | undefined;
}

interface SeccompArg {
  /** Which argument, 0…5. */
  readonly index: number;
  readonly op: (typeof comparisons)[number];
  readonly value: number | bigint;
  /** For SCMP_CMP_MASKED_EQ what the argument must be, of which `value` is the mask. */
  readonly valueTwo?: number | bigint | undefined;
}

/** seccomp.h; ERRNO and TRACE carry a number. */
export const actions = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x00030000,
  SCMP_ACT_ERRNO: 0x00050000,
  SCMP_ACT_NOTIFY: 0x7fc00000,
  SCMP_ACT_TRACE: 0x7ff00000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
} as const;

export const comparisons = [
  '',
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
] as const;

const EPERM = 1;
const EEXIST = 17;
const ENOSYS = 38;

/**
 * Compiles a filter for the machine's own architecture and the further ones: struct sock_filter[].
 * Names of system calls that the library doesn't know are left out. Takes about 10 ms. Throws if
 * the library is not installed, naming the package that brings it, or with libseccomp's errno.
 */
export function compileFilter(filter: SeccompFilter): Buffer {
  const lib = loadLibrary();
  const otherwise = actionOf(filter.defaultAction, filter.defaultErrnoRet);
  const context: unknown = lib.init(otherwise);
  if (context === null) throw new Error('seccomp_init failed');
  try {
    check('seccomp_attr_set', lib.setAttribute(context, SCMP_FLTATR_CTL_OPTIMIZE, BINARY_TREE));
    const badArch = actionOf('SCMP_ACT_ERRNO', ENOSYS);
    check('seccomp_attr_set', lib.setAttribute(context, SCMP_FLTATR_ACT_BADARCH, badArch));
    for (const name of filter.architectures ?? []) addArchitecture(lib, context, name);
    for (const rule of filter.syscalls ?? []) {
      const action = actionOf(rule.action, rule.errnoRet);
      // libseccomp refuses rules that say what happens anyway.
      if (action !== otherwise) addRules(lib, context, { ...rule, action });
    }
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

function actionOf(name: keyof typeof actions, errno: number = EPERM): number {
  const carries = name === 'SCMP_ACT_ERRNO' || name === 'SCMP_ACT_TRACE';
  return carries ? actions[name] + (errno & 0xffff) : actions[name];
}

function addArchitecture(lib: Library, context: unknown, name: string): void {
  const token: number = lib.resolveArchitecture(name.replace('SCMP_ARCH_', '').toLowerCase());
  if (token === 0) throw new Error(`libseccomp doesn't know the architecture ${name}`);
  const status: number = lib.addArchitecture(context, token);
  if (status !== -EEXIST) check(`seccomp_arch_add ${name}`, status);
}

/** All conditions must hold; several on one argument, which libseccomp refuses, are alternatives, as runc has them. */
function addRules(
  lib: Library,
  context: unknown,
  rule: Omit<SeccompRule, 'action'> & { readonly action: number },
): void {
  const { action, names, args = [] } = rule;
  const isRepeated = new Set(args.map(({ index }) => index)).size < args.length;
  for (const name of names) {
    const number: number = lib.resolve(name);
    if (number === SCMP_UNKNOWN) continue;
    for (const all of isRepeated ? args.map((arg) => [arg]) : [args]) {
      const bytes = Buffer.concat(all.map(encodeArg));
      const status = lib.addRule(context, action, number, all.length, bytes);
      check(`seccomp_rule_add ${name}`, status);
    }
  }
}

/** struct scmp_arg_cmp */
function encodeArg({ index, op, value, valueTwo = 0 }: SeccompArg): Buffer {
  const bytes = Buffer.alloc(24);
  bytes.writeUInt32LE(index, 0);
  bytes.writeUInt32LE(comparisons.indexOf(op), 4);
  bytes.writeBigUInt64LE(BigInt(value), 8);
  bytes.writeBigUInt64LE(BigInt(valueTwo), 16);
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
    resolveArchitecture: seccomp.func('uint32_t seccomp_arch_resolve_name(const char *name)'),
    addArchitecture: seccomp.func('int seccomp_arch_add(void *context, uint32_t architecture)'),
    resolve: seccomp.func('int seccomp_syscall_resolve_name(const char *name)'),
    addRule: seccomp.func(
      'int seccomp_rule_add_array(void *context, uint32_t action, int call, uint32_t n, void *args)',
    ),
    exportBpf: seccomp.func('int seccomp_export_bpf(void *context, int fd)'),
    memfd: koffi.load('libc.so.6').func('int memfd_create(const char *name, uint32_t flags)'),
  } as const;
}
