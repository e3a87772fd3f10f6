/**
 * What the C interpreter can do, one step each. A list of these is computed in TypeScript (all policy: order, flags,
 * ids, filters) and run in C (mechanism only: no defaults, no decisions). `op-list.ts` encodes a list into the fixed
 * layout of `native/orc.h`; a failure comes back as {@link OpFailure}, naming the list's index.
 *
 * Paths with `inRoot` are resolved below the root that the last `set-root` opened, with openat2(RESOLVE_IN_ROOT |
 * RESOLVE_NO_MAGICLINKS), so that no symbolic link of an image can lead outside; other paths are the caller's own.
 */
export type Op =
  | { readonly op: 'set-root'; readonly path: string }
  /** mkdir -p below the root, or one directory elsewhere; exists already: left as it is. */
  | {
      readonly op: 'mkdir';
      readonly path: string;
      readonly inRoot: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  /** Fails if something else is there; the same link already there is fine. */
  | { readonly op: 'symlink'; readonly path: string; readonly inRoot: boolean; readonly to: string }
  | {
      readonly op: 'mknod';
      readonly path: string;
      readonly inRoot: boolean;
      /** File type and permission bits, as mknod(2) takes them. */
      readonly mode: number;
      readonly major: number;
      readonly minor: number;
      readonly uid: number;
      readonly gid: number;
    }
  /** open(O_WRONLY) and one write(2): for cgroup, proc and sysctl files. */
  | { readonly op: 'write'; readonly path: string; readonly bytes: Uint8Array }
  /**
   * mount(2) of a new file system. The target must exist unless `create` (a directory). Its last component must not be
   * a symbolic link (ELOOP): an image whose /proc or /dev is one is refused.
   */
  | {
      readonly op: 'mount';
      readonly source: string;
      readonly target: string;
      readonly inRoot: boolean;
      readonly create: boolean;
      readonly fstype: string;
      readonly flags: readonly MountFlag[];
      /** File system options, comma separated, as mount(2)'s data. */
      readonly data: string;
    }
  /** open_tree(OPEN_TREE_CLONE) + mount_setattr + move_mount. `create` makes the target, a file for a
   *  file, owned by the root's owner; a target that is a link to nothing is made where it points, in the root. */
  | {
      readonly op: 'bind';
      readonly source: string;
      readonly target: string;
      readonly inRoot: boolean;
      /**
       * A directory (a volume): `source` is resolved below it as paths in the root are, and made a directory of its
       * owner's if nothing is there. "": no such thing.
       */
      readonly sourceBelow: string;
      readonly create: boolean;
      readonly flags: readonly MountFlag[];
      /** Idmap the clone with the sandbox's user namespace (kernel ≥ 5.19 below overlayfs). */
      readonly idmap: boolean;
    }
  /** Hides a file behind /dev/null, a directory behind an empty read-only tmpfs. Absent paths are skipped. Before pivot-root. */
  | { readonly op: 'mask'; readonly path: string }
  /** Makes a path below the root read-only (recursively). Absent paths are skipped. */
  | { readonly op: 'read-only'; readonly path: string }
  /** Makes the root's own mount read-only, in place; what is mounted below it stays as it is. */
  | { readonly op: 'read-only-root' }
  /** No mount of this namespace is seen, or sees, elsewhere any more. */
  | { readonly op: 'make-private' }
  /** Makes the opened root the root of this mount namespace and detaches the old one. */
  | { readonly op: 'pivot-root' }
  | { readonly op: 'chdir'; readonly path: string }
  /** Joins a namespace that the shim holds for the sandbox. */
  | { readonly op: 'join'; readonly namespace: SandboxNamespace }
  /** Joins mount, pid, cgroup (and, if it has its own, time) namespace of a running container, forking for the pid namespace. */
  | { readonly op: 'enter-container'; readonly container: string }
  | { readonly op: 'unshare'; readonly namespaces: readonly ('mount' | 'cgroup')[] }
  | { readonly op: 'link-up'; readonly link: string }
  /** IPv4 only, dotted. */
  | {
      readonly op: 'add-address';
      readonly link: string;
      readonly address: string;
      readonly prefix: number;
    }
  /** `gateway` undefined: a route to a neighbour on the link itself (scope link). */
  | {
      readonly op: 'add-route';
      readonly link: string;
      readonly destination: string;
      readonly prefix: number;
      readonly gateway: string | undefined;
    }
  /** Makes a terminal, of the request's size, of the container's own devpts; it becomes descriptors 0 to 2. */
  | { readonly op: 'terminal' }
  /** New session, and for a terminal: make standard input the controlling one. */
  | { readonly op: 'new-session'; readonly controllingTerminal: boolean }
  /** Joins a new anonymous session keyring, so that the host's keys stay out of sight. */
  | { readonly op: 'new-keyring' }
  | { readonly op: 'umask'; readonly mask: number }
  | {
      readonly op: 'set-ids';
      readonly uid: number;
      readonly gid: number;
      readonly groups: readonly number[];
    }
  /** Five capability sets as bit masks (bit = CAP_* number). Run `keepCaps` semantics around set-ids are C's business. */
  | { readonly op: 'drop-bounding'; readonly keep: bigint }
  | {
      readonly op: 'set-caps';
      readonly effective: bigint;
      readonly permitted: bigint;
      readonly inheritable: bigint;
      readonly ambient: bigint;
    }
  | { readonly op: 'no-new-privs' }
  /** SECCOMP_SET_MODE_FILTER with a compiled classic-BPF program (struct sock_filter[], 8 bytes each). */
  | { readonly op: 'seccomp'; readonly program: Uint8Array }
  /** Must be last. Connects to 127.0.0.1:port here; then standard input goes there, standard output comes from there. */
  | { readonly op: 'dial'; readonly port: number }
  /** Must be last. `path` without a slash is looked up in PATH of `env`, inside the root. Descriptors over 2 are closed. */
  | { readonly op: 'exec'; readonly argv: readonly string[]; readonly env: readonly string[] };

export type MountFlag = 'ro' | 'nosuid' | 'nodev' | 'noexec';
export type SandboxNamespace = 'user' | 'network' | 'ipc' | 'uts';

/** Which operation failed, at which stage of it, and the kernel's word. */
export interface OpFailure {
  /** Index into the list; -1: before the first operation (fork, clone, descriptors). */
  readonly index: number;
  /** What the operation was doing, a constant of the C program: "open_tree", "mount_setattr" … */
  readonly stage: string;
  readonly errno: number;
}
