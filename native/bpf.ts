import { closeSync, openSync } from 'node:fs';
import { arch } from 'node:process';
import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';

/**
 * Attaches a program (struct bpf_insn[]) that decides about access to devices to a cgroup v2 directory, in place of the
 * one that was attached here before. It goes with the directory. Throws with bpf(2)'s errno.
 */
export function attachDeviceProgram(directory: string, program: Buffer): void {
  const group = openSync(directory, 'r');
  try {
    const loaded = loadProgram(program);
    try {
      // No flags: the next one replaces it, and no group below may have one that allows more.
      bpf('BPF_PROG_ATTACH', 8, words(group, loaded, BPF_CGROUP_DEVICE, 0));
    } finally {
      closeSync(loaded);
    }
  } finally {
    closeSync(group);
  }
}

const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
const BPF_CGROUP_DEVICE = 6;
const INSTRUCTION_SIZE = 8;
const license = Buffer.from('Apache-2.0\0');

function loadProgram(program: Buffer): number {
  const pointers = Buffer.alloc(16);
  pointers.writeBigUInt64LE(koffi.address(program), 0);
  pointers.writeBigUInt64LE(koffi.address(license), 8);
  const head = words(BPF_PROG_TYPE_CGROUP_DEVICE, program.length / INSTRUCTION_SIZE);
  return bpf('BPF_PROG_LOAD', 5, Buffer.concat([head, pointers]));
}

/** The beginning of union bpf_attr: the kernel takes the rest as zero. */
function words(...values: readonly number[]): Buffer {
  return Buffer.from(Uint32Array.from(values).buffer);
}

const syscall = koffi
  .load('libc.so.6')
  .func('int64_t syscall(int64_t number, int64_t command, const void *attributes, uint64_t size)');
const SYS_BPF = arch === 'arm64' ? 280 : 321;

/** The kernel's verifier gives up whenever a signal waits for the thread, as V8's do. */
const ATTEMPTS = 100;

function bpf(name: string, command: number, attributes: Buffer): number {
  for (let attempt = 1; ; attempt++) {
    const result = Number(syscall(SYS_BPF, command, attributes, attributes.length));
    if (result >= 0) return result;
    const reason = getSystemErrorName(-koffi.errno());
    if (reason !== 'EAGAIN' || attempt === ATTEMPTS) throw new Error(`bpf ${name}: ${reason}`);
  }
}
