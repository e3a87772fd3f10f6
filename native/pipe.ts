import koffi from 'koffi';

const O_CLOEXEC = 0o2000000;

const library = koffi.load('libc.so.6');
const pipe2 = library.func('int pipe2(_Out_ int *ends, int flags)');

/** The descriptors of a pipe that no program inherits by itself: pipe2(2). */
export function openPipe(): { readonly reading: number; readonly writing: number } {
  const ends = [-1, -1];
  if (pipe2(ends, O_CLOEXEC) < 0) throw new Error(`pipe2: errno ${koffi.errno()}`);
  const [reading = -1, writing = -1] = ends;
  return { reading, writing };
}
