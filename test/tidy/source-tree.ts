import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export const root = new URL('../..', import.meta.url).pathname;

/** A file of the project, as git knows it (tracked, or new and not ignored). */
export interface SourceFile {
  /** Relative to the root. */
  readonly path: string;
  readonly lines: readonly string[];
}

const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
});

export function sourceFiles(wanted: RegExp): readonly SourceFile[] {
  return listed
    .split('\n')
    .filter((path) => wanted.test(path) && !path.includes('/generated/'))
    .flatMap((path) => read(path));
}

function read(path: string): readonly SourceFile[] {
  try {
    return [{ path, lines: readFileSync(`${root}${path}`, 'utf8').split('\n') }];
  } catch (error) {
    // Deleted in the work tree, still in git's index.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** `path:line  text` of every line that matches. */
export function linesMatching(files: readonly SourceFile[], pattern: RegExp): readonly string[] {
  return files.flatMap(({ path, lines }) =>
    lines.flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}  ${line.trim()}`] : [])),
  );
}

/** Without comments: good enough for looking for words. */
export function codeOf(file: SourceFile): SourceFile {
  return {
    path: file.path,
    lines: file.lines.map((line) =>
      /^\s*(\/?\*|\/\/)/.test(line) ? '' : line.replace(/\s\/\/ .*$/, ''),
    ),
  };
}
