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

/* Operations: 0 or -errno. Grouped by file. */
int op_set_root(struct task *task, const struct orc_record *op); /* files.c */
int op_mkdir(struct task *task, const struct orc_record *op);
int op_symlink(struct task *task, const struct orc_record *op);
int op_mknod(struct task *task, const struct orc_record *op);
int op_write(struct task *task, const struct orc_record *op);
int op_chdir(struct task *task, const struct orc_record *op);
int op_mount(struct task *task, const struct orc_record *op); /* mounts.c */
int op_bind(struct task *task, const struct orc_record *op);
int op_mask(struct task *task, const struct orc_record *op);
int op_read_only(struct task *task, const struct orc_record *op);
int op_read_only_root(struct task *task, const struct orc_record *op);
int op_make_private(struct task *task, const struct orc_record *op);
int op_pivot_root(struct task *task, const struct orc_record *op);
int op_join(struct task *task, const struct orc_record *op); /* spaces.c */
int op_enter_container(struct task *task, const struct orc_record *op);
int op_unshare(struct task *task, const struct orc_record *op);
int op_terminal(struct task *task, const struct orc_record *op);
int op_link_up(struct task *task, const struct orc_record *op); /* links.c */
int op_add_address(struct task *task, const struct orc_record *op);
int op_add_route(struct task *task, const struct orc_record *op);
int op_dial(struct task *task, const struct orc_record *op); /* dial.c */
int op_new_session(struct task *task, const struct orc_record *op); /* privileges.c */
int op_new_keyring(struct task *task, const struct orc_record *op);
int op_umask(struct task *task, const struct orc_record *op);
int op_set_ids(struct task *task, const struct orc_record *op);
int op_drop_bounding(struct task *task, const struct orc_record *op);
int op_set_caps(struct task *task, const struct orc_record *op);
int op_no_new_privs(struct task *task, const struct orc_record *op);
int op_seccomp(struct task *task, const struct orc_record *op);
int op_exec(struct task *task, const struct orc_record *op);

#endif
