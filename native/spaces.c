/* Operations on namespaces: join, enter-container, unshare; and a terminal of theirs. */
#include "calls.h"
#include "paths.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

int op_join(struct task *task, const struct orc_record *op)
{
    static const int kinds[] = {CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS};
    if (op->num[0] > SPACE_UTS)
        return -EINVAL;
    int error = setns(task->spaces[op->num[0]], kinds[op->num[0]]);
    return error < 0 ? task_fail(task, "setns") : 0;
}

/* A pid namespace is entered only by a child. CLONE_PARENT makes that child the shim's own, to
 * be reaped there. */
int op_enter_container(struct task *task, const struct orc_record *op)
{
    struct report child = {.type = REPORT_CHILD};
    int first = task->find_container(list_text(task->list, op, 0));
    if (first < 0) {
        errno = ESRCH;
        return task_fail(task, "find container");
    }
    if (setns(first, (int)op->num[0]) < 0)
        return task_fail(task, "setns");
    pid_t pid = call_clone(CLONE_PARENT, 0, NULL, -1);
    if (pid < 0)
        return task_fail(task, "clone");
    if (pid > 0)
        _exit(0);
    return task_send(task->report, &child, -1);
}

int op_unshare(struct task *task, const struct orc_record *op)
{
    return unshare((int)op->num[0]) < 0 ? task_fail(task, "unshare") : 0;
}

static bool is_terminal_maker(int fd)
{
    struct stat found;
    struct statfs system;
    return fstat(fd, &found) == 0 && S_ISCHR(found.st_mode) &&
           (found.st_rdev == makedev(5, 2)) && fstatfs(fd, &system) == 0 &&
           system.f_type == DEVPTS_SUPER_MAGIC;
}

/* The other side comes from the master by ioctl, never by a path that the container could
 * exchange (CVE-2025-52565). */
int op_terminal(struct task *task, const struct orc_record *op)
{
    (void)op;
    struct report message = {.type = REPORT_TERMINAL};
    struct winsize size = {.ws_col = task->columns, .ws_row = task->rows};
    int unlock = 0;
    int master = path_open(task, true, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (master < 0)
        return task_fail(task, "open ptmx");
    if (!is_terminal_maker(master))
        return task->stage = "check ptmx", -ENODEV;
    if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
        return task_fail(task, "unlock terminal");
    int terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0)
        return task_fail(task, "open terminal");
    if (fchown(terminal, task->terminal_owner, (gid_t)-1) < 0)
        return task_fail(task, "chown terminal");
    if (ioctl(terminal, TIOCSWINSZ, &size) < 0)
        return task_fail(task, "resize terminal");
    if (task_send(task->report, &message, master) < 0)
        return task_fail(task, "send terminal");
    for (int fd = 0; fd < 3; fd++)
        if (dup2(terminal, fd) < 0)
            return task_fail(task, "dup terminal");
    close(terminal);
    close(master);
    return 0;
}
