/* The interpreter: runs a list of operations in a child process that has nothing else to do. */
#ifndef ORC_TASK_H
#define ORC_TASK_H

#include "list.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What a child tells its shim over their socket pair; the kernel adds the sender's pid as the
 * shim sees it. */
enum report_type {
    REPORT_CHILD = 1,    /* "I am the process from now on": from enter-container's clone */
    REPORT_TERMINAL = 2, /* carries the terminal's master side */
    REPORT_READY = 3,    /* everything is done but exec; end of file after this means success */
    REPORT_FAILED = 4,
};

struct report {
    uint32_t type;
    struct orc_failure failure;
};

struct task {
    const struct list *list;
    int root;      /* O_PATH; what paths in the root are resolved below; -1: none yet */
    int spaces[4]; /* the sandbox's namespaces by enum orc_space, or -1 */
    int report;
    int (*find_container)(const char *name); /* pidfd of its first process, or -1 */
    uint32_t terminal_owner;                 /* host uid */
    uint16_t columns, rows;
    mode_t umask;
    const char *stage; /* of the operation that runs: string constants only */
    bool sealed;
};

/* Runs the operations after the arguments and never returns: exec, or _exit(0) after the last,
 * or a report and _exit(1). */
_Noreturn void task_run(struct task *task);

/* Sets the stage and gives -errno: every operation fails with this line. */
int task_fail(struct task *task, const char *stage);
int task_send(int report, const struct report *message, int descriptor);

/* An operation: 0 or -errno. */
typedef int operation(struct task *task, const struct orc_record *op);

operation op_set_root, op_mkdir, op_symlink, op_mknod, op_write, op_chdir; /* files.c */
operation op_mount, op_bind, op_mask, op_read_only, op_read_only_root;     /* mounts.c */
operation op_make_private, op_pivot_root;
operation op_join, op_enter_container, op_unshare, op_terminal; /* spaces.c */
operation op_link_up, op_add_address, op_add_route;             /* links.c */
operation op_dial;                                              /* dial.c */
operation op_new_session, op_new_keyring, op_umask, op_set_ids; /* privileges.c */
operation op_drop_bounding, op_set_caps, op_no_new_privs, op_seccomp, op_exec;

#endif
