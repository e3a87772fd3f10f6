interface Mount {
  readonly mount: string;
  /** Which part of the file system the mount shows. */
  readonly root: string;
  readonly fstype: string;
  /** Of the file system. */
  readonly options: readonly string[];
}

/** proc_pid_mountinfo(5): "36 35 98:0 /root /mount opts [tags] - fstype source superopts". */
export const parseMountinfo = (text: string): readonly Mount[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const [, , , root = '', mount = ''] = before.split(' ');
      const [fstype = '', , options = ''] = after.split(' ');
      return { mount: plain(mount), root: plain(root), fstype, options: options.split(',') };
    });

/** Without the octal escapes of white space. */
const plain = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
