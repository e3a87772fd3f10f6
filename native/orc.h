/*
 * The border between TypeScript and C: what crosses it, byte for byte.
 *
 * TypeScript holds all policy and speaks in lists of operations; C runs them, one table, no
 * defaults. `make generate` makes generated/binding.ts of the names and numbers below (by
 * binding.awk: one enumerator or field a line). All numbers are little-endian. A new program of
 * this binary is one row in main.c and one .c file (the Makefile takes all of them).
 *
 *   agent (TypeScript)        orc-launch              orc-shim                   container
 *   LAUNCH dir, cgroups ────▶ fork, setsid, join,
 *                             exec sealed memfd ────▶ own mount namespace,
 *                                                     listens on RUN_DIR/shim.sock
 *          ◀── LAUNCHED pid ─ ◀── struct shim_ready ─
 *
 *   connect ────────────────────────────────────────▶
 *          ◀───────────────────────────────── HELLO version, pid
 *   RUN, KILL, LIST … ──────────────────────────────▶ each: DONE or FAILED with its tag
 *   START ops ──────────────────────────────────────▶ decode ── clone3 ────────▶ run each op
 *          ◀───────────────────────── FAILED ─────── {op, stage, errno} ◀─────── on failure
 *          ◀───────────────────────── SYNC pid ───── and waits ◀───────────────── if a list says so
 *   CONTINUE ───────────────────────────────────────▶ byte ─────────────────────▶ next op
 *          ◀───────────────────────── DONE pid ───── end of file ◀────────────── execve closes it
 *          ◀───────────────────────── EXITED ─────── (to every control connection)
 *
 *   connect, EXEC ops ──────────────────────────────▶ fork ── setns, clone ────▶ ops, execve
 *          ◀───────────────────────── DONE pid, or FAILED
 *   INPUT, INPUT_END, RESIZE ───────────────────────▶
 *          ◀───────────────────────── OUTPUT, ERRORS … EXITED, then end of file
 *   hang-up ────────────────────────────────────────▶ SIGKILL to the process and its group
 *
 *   connect, ATTACH ────────────────────────────────▶ to the first process; as EXEC from here on,
 *   hang-up ────────────────────────────────────────▶ but it goes on
 *
 * The OCI command line is the same interpreter with another parent: engines expect a container's
 * first process as a descendant of theirs, so their child, the front, takes the shim's part.
 *
 *   planner (TypeScript)              orc-oci VERB …                       container
 *          ◀── connect, CALL ──────── sealed copy of itself
 *   PRINT ─────────────────────────▶ standard output or error
 *   RUN, START, KILL … ────────────▶ as the shim
 *          ◀── SYNC ──────────────── OP_AWAIT ◀─────────────────────────── waits at the gate
 *   FINISH code ───────────────────▶ exits (create) …                      … and waits on
 *   MEET pid, gate ────────────────▶ of another front (start): connects ──▶ goes on
 */
#ifndef ORC_H
#define ORC_H

#include <stdint.h>

enum orc_limits {
    ORC_PROTOCOL = 3,         /* since operations have a version of their own: */
    ORC_OPERATIONS = 4,       /* one more with each operation, field or request that is added */
    ORC_MAX_FRAME = 4194304,  /* payload bytes of one frame */
    ORC_MAX_INPUT = 65536,    /* payload bytes of one INPUT frame */
    ORC_MAX_NAME = 127,       /* bytes of a container's name */
    ORC_STAGE_SIZE = 24,      /* bytes of a stage's name, NUL included */
};

/* Every message: this head, then `size` bytes. */
struct orc_frame {
    uint32_t size;
    uint16_t type;
    uint16_t zero;
    uint32_t tag; /* chosen by the asker, returned in the answer; 0 in what nobody asked for */
    uint32_t zero2;
};

/* A shim outlives the agent that started it, so whoever asks may be older or newer. HELLO, LIST,
 * KILL, FORGET, SHUTDOWN, ATTACH and EXITED stay as they are for ever. All else may be added to,
 * with ORC_OPERATIONS: what a shim doesn't know it refuses in "decode", and nothing has happened. A
 * listener: a path, NUL, and the message that goes with the descriptor. */
enum orc_frame_type {
    FRAME_LAUNCH = 1,     /* text: run dir, cgroup.procs paths, cgroup2 dir; num: of paths */
    FRAME_LAUNCHED = 2,   /* struct orc_hello */
    FRAME_HELLO = 3,      /* struct orc_hello */
    FRAME_DONE = 4,       /* START, EXEC: struct orc_state; LIST: many (of orc-launch
                             none); else nothing */
    FRAME_FAILED = 5,     /* struct orc_failure */
    FRAME_EXITED = 6,     /* struct orc_state */
    FRAME_RUN = 8,        /* operations */
    FRAME_START = 9,      /* text: name, cgroup2 dir or "", log, listener; num: host uid of its
                             streams, columns, rows, log files, CLONE_NEW…; wide: log bytes; flags;
                             operations. FLAG_CALLERS: no log but the terminal's socket or "", and
                             the number of descriptors to hand on */
    FRAME_EXEC = 10,      /* text: name, cgroup2 dir or "", -, listener; num: host uid, columns,
                             rows; flags; operations */
    FRAME_KILL = 11,      /* text: name; num: signal */
    FRAME_LIST = 12,
    FRAME_FORGET = 13,    /* text: name */
    FRAME_SHUTDOWN = 14,
    FRAME_INPUT = 15,     /* bytes */
    FRAME_INPUT_END = 16,
    FRAME_RESIZE = 17,    /* num: columns, rows */
    FRAME_ATTACH = 18,    /* text: name; flags */
    FRAME_OUTPUT = 19,    /* bytes */
    FRAME_ERRORS = 20,    /* bytes */
    FRAME_SYNC = 21,      /* struct orc_state: START waits in OP_SYNC */
    FRAME_CONTINUE = 22,  /* text: name */
    FRAME_CALL = 24,      /* of a front, each with a NUL: pid, directory, argc, words, env */
    FRAME_MEET = 25,      /* text: name, directory of the gate or ""; num: pid */
    FRAME_PRINT = 26,     /* text: bytes; num: descriptor */
    FRAME_FINISH = 27,    /* num: exit code */
    FRAME_READ = 28,      /* num: one of the caller's descriptors; DONE: all that it gives */
};

/* The payload of a request: this head, `count` records, `blob` bytes. Record 0 carries the
 * request's arguments, the rest are operations. A text is {offset in the blob, length}, followed
 * there by a NUL. */
struct orc_list {
    uint32_t count;
    uint32_t blob;
};

struct orc_text {
    uint32_t at;
    uint32_t length;
};

struct orc_record {
    uint16_t kind;
    uint16_t flags;
    uint32_t num[5];
    uint64_t wide[4];
    struct orc_text text[4];
};

enum orc_op {
    OP_ARGUMENTS = 0,
    OP_SET_ROOT = 1,         /* text: path */
    OP_MKDIR = 2,            /* text: path; num: mode, uid, gid */
    OP_SYMLINK = 3,          /* text: path, to */
    OP_MKNOD = 4,            /* text: path; num: mode, uid, gid, major, minor */
    OP_WRITE = 5,            /* text: path, bytes */
    OP_MOUNT = 6,            /* text: source, target, fstype, data; num: mount flags */
    OP_BIND = 7,             /* text: source, target, below or empty; num: attributes to set, to
                                clear, the same for all below, enum orc_space; wide: propagation,
                                the same for all below; each 0: as it is */
    OP_MASK = 8,             /* text: path */
    OP_PIVOT_ROOT = 12,
    OP_CHDIR = 13,           /* text: path */
    OP_JOIN = 14,            /* num: enum orc_space */
    OP_ENTER_CONTAINER = 15, /* text: container; num: CLONE_NEW… */
    OP_UNSHARE = 16,         /* num: CLONE_NEW… */
    OP_NEW_SESSION = 22,
    OP_NEW_KEYRING = 23,
    OP_UMASK = 24,           /* num: mask */
    OP_SET_IDS = 25,         /* text: groups (uint32 each); num: uid, gid */
    OP_DROP_BOUNDING = 26,   /* wide: keep */
    OP_SET_CAPS = 27,        /* wide: effective, permitted, inheritable, ambient */
    OP_NO_NEW_PRIVS = 28,
    OP_SECCOMP = 29,         /* text: struct sock_filter[]; num: SECCOMP_FILTER_FLAG_… */
    OP_EXEC = 30,            /* text: argv, env, paths to try (NUL in between); num: how many */
    OP_TERMINAL = 32, /* of the container's own devpts, for descriptors 0 to 2 */
    OP_DIAL = 33,     /* num: port */
    OP_OPEN_SPACE = 34, /* text: path; num: enum orc_space */
    OP_NEW_USER = 35,   /* text: uid map, gid map; num: enum orc_space */
    OP_HOLD = 36,       /* num: enum orc_space */
    OP_FORK = 37,
    OP_NAMES = 38,      /* text: hostname, domainname, each or empty */
    OP_SETTING = 39,    /* num: enum orc_setting, and what it takes */
    OP_SET_MOUNT = 40,  /* text: path; num, wide: as BIND */
    OP_NETLINK = 41,    /* text: struct nlmsghdr[] */
    OP_SYNC = 42,
    OP_SPAWN = 43,      /* text: argv, env (NUL in between); num: how many, milliseconds */
    OP_ADOPT = 44,      /* text: path of a pid file */
    OP_GATE = 45,       /* text: directory */
    OP_AWAIT = 46,
    OP_INPUT = 47,      /* text: path */
    OP_FIND = 48,       /* as EXEC */
};

enum orc_flag {
    FLAG_IN_ROOT = 1,
    FLAG_CREATE = 2,
    FLAG_OPTIONAL = 4,
    FLAG_RECURSIVE = 8,
    FLAG_IDMAP = 16,
    FLAG_TERMINAL = 32,
    FLAG_INPUT = 128,
    FLAG_INPUT_ONCE = 256, /* its end is that of the first client's */
    FLAG_PROC = 512,
    FLAG_CONSOLE = 1024,
    FLAG_COPY_UP = 2048,
    FLAG_PASSING = 8192, /* with FLAG_CALLERS: it ends with the front */
    FLAG_CALLERS = 4096, /* its streams are those of the front's caller; it outlives both */
};

/* Where a process has namespaces open; 8 and up: further user namespaces, for idmapped mounts. The
 * shim holds number n as descriptor SPACE_FD + n, for /proc/SHIM/fd/… */
enum orc_space {
    SPACE_USER = 0,
    SPACE_NETWORK = 1,
    SPACE_IPC = 2,
    SPACE_UTS = 3,
    SPACE_MOUNT = 4,
    SPACE_PID = 5,
    SPACE_CGROUP = 6,
    SPACE_TIME = 7,
    SPACE_COUNT = 16,
    SPACE_FD = 10,
};

enum orc_setting {
    SETTING_RLIMIT = 0,      /* num: resource; wide: soft, hard */
    SETTING_SCHEDULER = 1,   /* num: policy, nice, priority; wide: flags, three times */
    SETTING_IO_PRIORITY = 2, /* num: as ioprio_set(2) */
    SETTING_AFFINITY = 3,    /* text: one bit for each processor */
    SETTING_PERSONALITY = 4, /* num: as personality(2) */
    SETTING_MEMORY_POLICY = 5, /* num: as set_mempolicy(2); text: one bit for each node */
};

struct orc_hello {
    uint32_t version;
    uint32_t pid;
    uint32_t operations;
    uint32_t zero;
};

struct orc_failure {
    int32_t index; /* of the operation, counted without the arguments; -1: before the first */
    int32_t error; /* errno, positive */
    char stage[ORC_STAGE_SIZE];
};

struct orc_state {
    char name[ORC_MAX_NAME + 1];
    uint32_t pid;
    uint32_t ended;
    uint32_t exit_code; /* 0…255; 128 + signal when killed */
    uint32_t signal;
    uint64_t started_ms; /* since 1970 */
    uint64_t finished_ms;
};

#endif
