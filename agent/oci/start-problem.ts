import type { Op } from '../kernel/op.ts';
import type { OpError } from '../kernel/op-error.ts';

/**
 * What a failed operation means to whoever wrote the command or the working directory, in the words that docker and
 * containerd use, and engines look for. undefined: it was about neither.
 */
export function startProblem(ops: readonly Op[], error: OpError): string | undefined {
  const op = ops[error.failure.index];
  if (op?.op === 'exec' || op?.op === 'find') return execProblem(op.argv[0] ?? '', error.code);
  if (!isWorkingDirectory(ops, op)) return undefined;
  return `chdir to cwd ("${op.path}") set in config.json failed: ${problems[error.code] ?? error.code}`;
}

const problems: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  ENOEXEC: 'exec format error',
  ENOTDIR: 'not a directory',
  ELOOP: 'too many levels of symbolic links',
  EISDIR: 'is a directory',
};

function execProblem(program: string, code: string): string {
  const problem = problems[code] ?? code;
  if (code !== 'ENOENT') return `exec: "${program}": ${problem}`;
  return program.includes('/')
    ? `exec: "${program}": stat ${program}: ${problem}`
    : `exec: "${program}": executable file not found in $PATH`;
}

/** It is made (mkdir) if need be, and entered (chdir) as the user; the first chdir of a list is not the container's. */
function isWorkingDirectory(
  ops: readonly Op[],
  op: Op | undefined,
): op is Extract<Op, { readonly path: string }> {
  const entered = ops.findLast((each) => each.op === 'chdir');
  if (op === undefined || entered === undefined) return false;
  return op === entered || (op.op === 'mkdir' && op.inRoot === true && op.path === entered.path);
}
