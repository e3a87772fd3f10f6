/* The interpreter: runs a list of operations in a child process that has nothing else to do. */
#ifndef ORC_TASK_H
#define ORC_TASK_H

#include "list.h"

/* What a child tells its shim over their socket pair; the kernel adds the sender's pid as the
 * shim sees it. */
enum report_type {
    REPORT_CHILD = 1,    /* "I am the process from now on": from enter-container's clone */
    REPORT_TERMINAL = 2, /* carries the terminal's master side */
    REPORT_READY = 3,    /* everything is done but exec; end of file after this means success */
    REPORT_FAILED = 4,
    REPORT_SPACE = 5,    /* carries the namespace for place `failure.index` */
    REPORT_SYNC = 6,     /* answered by a byte */
    REPORT_LISTENER = 7, /* the filter's is descriptor `failure.index` here; answered by a byte */
    REPORT_ADOPT = 8,    /* `failure.index`, a child that another runtime left to the shim, is meant */
};

struct report {
    uint32_t type;
    struct orc_failure failure;
};

enum { HANDED_FD = 512, MAX_HANDED = 253 };

struct task {
    const struct list *list;
    int root;      /* O_PATH; what paths in the root are resolved below; -1: none yet */
    int spaces[SPACE_COUNT]; /* namespaces by enum orc_space, or -1 */
    int report;
    int (*find_container)(const char *name); /* pidfd of its first process, or -1 */
    uint32_t terminal_owner;                 /* host uid */
    uint16_t columns, rows;
    mode_t umask;
    const char *stage; /* of the operation that runs: string constants only */
    bool sealed;
    bool stays;         /* when who started it has ended */
    uint32_t handed_on; /* descriptors, from HANDED_FD on: they become those from 3 on */
    int gate;           /* listening; -1: none */
};

/* Runs the operations after the arguments and never returns: exec, or _exit(0) after the last,
 * or a report and _exit(1). */
_Noreturn void task_run(struct task *task);

/* An operation. False: it failed in the task's stage, with errno. */
typedef bool operation(struct task *task, const struct orc_record *op);

operation *list_operation(const struct orc_record *record); /* of a list that was decoded */

/* Each of them is false, with errno: how an operation fails in `stage`. */
bool task_fail(struct task *task, const char *stage);
bool task_refuse(struct task *task, const char *stage, int error);
/* The same if `result`, of a system call, is negative; else true. */
bool task_did(struct task *task, const char *stage, long result);

/* Listens at `name` in a directory, whose path may be of any length; only the owner may connect. A
 * descriptor, or -1 with errno. */
int listen_below(int directory, const char *name, int type);
int connect_below(const char *directory, const char *name, int type);
/* False, with errno. */
bool send_descriptor(int to, const void *bytes, size_t size, int descriptor);
bool task_send(int report, const struct report *message, int descriptor);
/* The same, and waits for the answer; its absence is the end. */
bool task_ask(const struct task *task, const struct report *message);

operation op_set_root, op_mkdir, op_symlink, op_mknod, op_write, op_chdir; /* files.c */
operation op_mount, op_bind, op_set_mount, op_mask, op_pivot_root;         /* mounts.c */
operation op_open_space, op_new_user, op_hold, op_join, op_unshare;        /* spaces.c */
operation op_fork, op_enter_container, op_names, op_netlink, op_terminal;
operation op_dial;                                              /* dial.c */
operation op_sync;                                              /* task.c */
operation op_gate, op_await, op_input, op_find;                 /* gate.c */
operation op_spawn, op_adopt;                                   /* spawn.c */
operation op_new_session, op_new_keyring, op_umask, op_set_ids; /* privileges.c */
operation op_drop_bounding, op_set_caps, op_no_new_privs, op_setting, op_seccomp, op_exec;

/* Binds what one descriptor stands for on another. */
bool mount_descriptor(struct task *task, int source, int target);

#endif
