import * as f from './op-fields.ts';

const inRoot = f.flag('IN_ROOT');
const create = f.flag('CREATE');
const number = f.optional(f.u32, 0);

/** What becomes of a mount's attributes (MOUNT_ATTR_…) and propagation (MS_SHARED …), and of those of all below it. */
const attributes = {
  clear: number,
  recursiveSet: number,
  recursiveClear: number,
  propagation: f.optional(f.u64, 0n),
  recursivePropagation: f.optional(f.u64, 0n),
};

/**
 * What the C interpreter can do, one step each, with its fields in the order of `struct orc_record` (`native/orc.h`):
 * numbers among numbers, texts among texts. A list of these is computed in TypeScript (all policy: order, flags, ids,
 * filters) and run in C (mechanism only: no defaults, no decisions); a failure comes back as {@link OpFailure}, naming
 * the list's index.
 *
 * Paths with `inRoot` are resolved below the root that the last `set-root` opened, with openat2(RESOLVE_IN_ROOT |
 * RESOLVE_NO_MAGICLINKS), so that no symbolic link of an image can lead outside; other paths are the caller's own.
 */
export const operations = {
  'set-root': { path: f.text },
  /** mkdir -p below the root, or one directory elsewhere; exists already: left as it is. */
  mkdir: { path: f.text, inRoot, mode: f.u32, uid: f.u32, gid: f.u32 },
  /** Fails if something else is there, unless `optional`; the same link already there is fine. */
  symlink: { path: f.text, inRoot, to: f.text, optional: f.flag('OPTIONAL') },
  /** `mode`: file type and permission bits, as mknod(2) takes them. */
  mknod: { path: f.text, inRoot, mode: f.u32, uid: f.u32, gid: f.u32, major: f.u32, minor: f.u32 },
  /** open(O_WRONLY) and one write(2): for cgroup files, maps, sysctls. `proc`: `path` is below /proc ("self/attr/exec"),
   *  which is checked to be procfs, and nothing mounted over it is written to. */
  write: { path: f.text, bytes: f.bytes, proc: f.flag('PROC') },
  /**
   * mount(2) of a new file system. The target must exist unless `create` (a directory). Its last component must not be
   * a symbolic link (ELOOP): an image whose /proc or /dev is one is refused. `flags` are MS_…, `data` the file system's
   * options, comma separated. `copyUp`: what was in the target is copied into it.
   */
  mount: {
    ...{ flags: f.mountFlags, source: f.text, target: f.text, fstype: f.text, data: f.text },
    ...{ inRoot, create, copyUp: f.flag('COPY_UP') },
  },
  /**
   * open_tree(OPEN_TREE_CLONE) + mount_setattr + move_mount. `create` makes the target, a file for a file, owned by the
   * root's owner; a target that is a link to nothing is made where it points, in the root. An empty `source` binds the
   * target to itself. `optional`: an absent target is skipped. `recursive`: with all that is mounted below.
   * `sourceBelow`: a directory (a volume); `source` is resolved below it as paths in the root are, and made a directory
   * of its owner's if nothing is there. `idmap`: with the user namespace in `idmapSlot` (kernel ≥ 5.19 below overlayfs).
   */
  bind: {
    ...{ flags: f.mountFlags, ...attributes, idmapSlot: f.optional(f.slot, 'user') },
    ...{ source: f.text, target: f.text, sourceBelow: f.optional(f.text, '') },
    ...{ inRoot, create, idmap: f.flag('IDMAP') },
    ...{ optional: f.flag('OPTIONAL'), recursive: f.flag('RECURSIVE') },
  },
  /** mount_setattr of what is mounted at `path`. */
  'set-mount': { set: number, ...attributes, path: f.text, inRoot },
  /** Hides a file behind /dev/null, a directory behind an empty read-only tmpfs. Absent paths are skipped. Before pivot-root. */
  mask: { path: f.text },
  /** A `bind` that makes a path below the root read-only (recursively). Absent paths are skipped. */
  'read-only': { path: f.text },
  /** A `set-mount` of the root's own mount, in place; what is mounted below it stays as it is. */
  'read-only-root': {},
  /** A `set-mount`: no mount of this namespace is seen, or sees, elsewhere any more. */
  'make-private': {},
  /** Makes the opened root the root of this mount namespace and detaches the old one. */
  'pivot-root': {},
  chdir: { path: f.text },
  /** Opens a namespace's file, to be joined, held, or used for an idmapped mount. */
  'open-space': { namespace: f.slot, path: f.text },
  /** Makes a user namespace with these maps ("inside outside count" lines), without entering it. */
  'new-user': { namespace: f.slot, uidMap: f.text, gidMap: f.text },
  /** Gives the shim what is open there: for every later list, and for /proc/SHIM/fd/…. */
  hold: { namespace: f.slot },
  /** Joins a namespace that was opened, or that the shim holds. */
  join: { namespace: f.slot },
  /** CLONE_NEW… of each: mount, cgroup, network … at once; pid and time take effect for children. */
  unshare: { namespaces: f.namespaces },
  /** Goes on as a child: in the pid namespace that was joined or unshared. */
  fork: {},
  /** Joins a running container's namespaces of these kinds, forking for the pid namespace. */
  'enter-container': {
    container: f.text,
    namespaces: f.optional(f.namespaces, ['mount', 'pid', 'cgroup']),
  },
  names: { hostname: f.text, domainname: f.optional(f.text, '') },
  /** rtnetlink requests, one after the other, each with NLM_F_ACK. */
  netlink: { messages: f.bytes },
  /** Waits until the starter says so: see {@link StartRequest.onSync}. */
  sync: {},
  /** Listens in this directory, while the host's paths are there: for `await`. */
  gate: { path: f.text },
  /** Waits as `sync` does; if who started it ends meanwhile, until another one comes to the gate, who is its starter from then on. */
  await: {},
  /** Fails, as `exec` would, if its program isn't there or is none. */
  find: { file: f.spelledOut, argv: f.strings, env: f.strings },
  /** A file becomes standard input. */
  input: { path: f.text },
  /** Makes a terminal, of the request's size, of the container's own devpts; it becomes descriptors 0 to 2, and, with
   *  `console`, is bound to /dev/console. */
  terminal: { console: f.flag('CONSOLE') },
  /** New session, and for a terminal: make standard input the controlling one. */
  'new-session': { controllingTerminal: f.flag('TERMINAL') },
  /** Joins a new anonymous session keyring, so that the host's keys stay out of sight. */
  'new-keyring': {},
  umask: { mask: f.u32 },
  /** `keepGroups`: those that it has, if none are named; where nobody may change them. */
  'set-ids': { uid: f.u32, gid: f.u32, groups: f.ids, keepGroups: f.flag('OPTIONAL') },
  /** Capability sets are bit masks (bit = CAP_* number). What keeps them over set-ids is C's business. */
  'drop-bounding': { keep: f.u64 },
  'set-caps': { effective: f.u64, permitted: f.u64, inheritable: f.u64, ambient: f.u64 },
  'no-new-privs': {},
  /** SECCOMP_SET_MODE_FILTER with a compiled classic-BPF program (struct sock_filter[], 8 bytes each) and
   *  SECCOMP_FILTER_FLAG_…; a listener goes where the request says. */
  seccomp: { program: f.bytes, flags: number },
  /** RLIMIT_… */
  rlimit: { resource: f.u32, soft: f.u64, hard: f.u64 },
  /** struct sched_attr; `nice` as an unsigned number. */
  scheduler: {
    ...{ policy: f.u32, nice: f.u32, priority: f.u32 },
    ...{ flags: f.u64, runtime: f.u64, deadline: f.u64, period: f.u64 },
  },
  /** As ioprio_set(2) takes it. */
  'io-priority': { priority: f.u32 },
  /** One bit for each processor, lowest first. */
  affinity: { mask: f.bytes },
  personality: { persona: f.u32 },
  /** set_mempolicy(2); one bit for each node, lowest first. */
  'memory-policy': { mode: f.u32, nodes: f.bytes },
  /** Runs a program of the host's to its end, which must be 0: else ECHILD, and why only the program knows. One that takes
   *  longer is killed: ETIMEDOUT. */
  spawn: { argv: f.strings, env: f.strings, timeoutMs: f.u32 },
  /** The process whose pid is in this file, an orphan that a program left, is the container's, or the exec's, from now on. */
  adopt: { path: f.text },
  /** Must be last. Connects to 127.0.0.1:port here; then standard input goes there, standard output comes from there. */
  dial: { port: f.u32 },
  /** Must be last. `file`, or `argv[0]`, without a slash is looked up in PATH of `env`, inside the root. Descriptors over 2
   *  are closed. */
  exec: { file: f.spelledOut, argv: f.strings, env: f.strings },
} as const;

type Name = keyof typeof operations;

/** One step; see {@link operations}. Flags that are absent are off. */
export type Op = { [K in Name]: { readonly op: K } & f.ValuesOf<(typeof operations)[K]> }[Name];

/** What a pod's containers share. */
export type SandboxNamespace = Extract<f.Namespace, 'user' | 'network' | 'ipc' | 'uts'>;

/** Which operation failed, at which stage of it, and the kernel's word. */
export interface OpFailure {
  /** Index into the list; -1: before the first operation (fork, clone, descriptors). */
  readonly index: number;
  /** What the operation was doing, a constant of the C program: "open_tree", "mount_setattr" … */
  readonly stage: string;
  readonly errno: number;
}
