#include "task.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int run(struct task *task, const struct orc_record *op)
{
    switch (op->kind) {
    case OP_SET_ROOT:        return op_set_root(task, op);
    case OP_MKDIR:           return op_mkdir(task, op);
    case OP_SYMLINK:         return op_symlink(task, op);
    case OP_MKNOD:           return op_mknod(task, op);
    case OP_WRITE:           return op_write(task, op);
    case OP_MOUNT:           return op_mount(task, op);
    case OP_BIND:            return op_bind(task, op);
    case OP_MASK:            return op_mask(task, op);
    case OP_READ_ONLY:       return op_read_only(task, op);
    case OP_MAKE_PRIVATE:    return op_make_private(task, op);
    case OP_PIVOT_ROOT:      return op_pivot_root(task, op);
    case OP_CHDIR:           return op_chdir(task, op);
    case OP_JOIN:            return op_join(task, op);
    case OP_ENTER_CONTAINER: return op_enter_container(task, op);
    case OP_UNSHARE:         return op_unshare(task, op);
    case OP_LINK_UP:         return op_link_up(task, op);
    case OP_ADD_ADDRESS:     return op_add_address(task, op);
    case OP_ADD_ROUTE:       return op_add_route(task, op);
    case OP_NEW_SESSION:     return op_new_session(task, op);
    case OP_NEW_KEYRING:     return op_new_keyring(task, op);
    case OP_UMASK:           return op_umask(task, op);
    case OP_SET_IDS:         return op_set_ids(task, op);
    case OP_DROP_BOUNDING:   return op_drop_bounding(task, op);
    case OP_SET_CAPS:        return op_set_caps(task, op);
    case OP_NO_NEW_PRIVS:    return op_no_new_privs(task, op);
    case OP_SECCOMP:         return op_seccomp(task, op);
    case OP_EXEC:            return op_exec(task, op);
    case OP_READ_ONLY_ROOT:  return op_read_only_root(task, op);
    case OP_TERMINAL:        return op_terminal(task, op);
    case OP_DIAL:            return op_dial(task, op);
    }
    return -ENOSYS;
}

_Noreturn static void report_failure(const struct task *task, int index, int error)
{
    struct report failed = {.type = REPORT_FAILED, .failure = failure_of(error, task->stage)};
    failed.failure.index = index;
    task_send(task->report, &failed, -1);
    _exit(1);
}

void task_run(struct task *task)
{
    struct report ready = {.type = REPORT_READY};
    task->umask = umask(0);
    reset_signals();
    for (uint32_t i = 1; i < task->list->count; i++) {
        task->stage = "operation";
        int error = run(task, &task->list->records[i]);
        if (error < 0)
            report_failure(task, (int)i - 1, -error);
    }
    task_send(task->report, &ready, -1);
    _exit(0);
}

int task_fail(struct task *task, const char *stage)
{
    task->stage = stage;
    return -errno;
}

int task_send(int report, const struct report *message, int descriptor)
{
    struct iovec part = {(void *)(uintptr_t)message, sizeof *message};
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr envelope = {.msg_iov = &part, .msg_iovlen = 1};
    if (descriptor < 0) /* write, not sendmsg: a seccomp filter may already be on */
        return write(report, message, sizeof *message) < 0 ? -errno : 0;
    memset(&control, 0, sizeof control);
    control.head.cmsg_len = CMSG_LEN(sizeof(int));
    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(&control.head), &descriptor, sizeof descriptor);
    envelope.msg_control = &control;
    envelope.msg_controllen = sizeof control.space;
    return sendmsg(report, &envelope, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/*
 * What is ignored stays ignored over exec, so a container would inherit the shim's SIGPIPE, and
 * whatever the agent's own parent ignored. The system call itself, because libc keeps its hands off
 * the signals that it uses (32 and 33); all zero is the kernel's struct sigaction for SIG_DFL.
 */
static void reset_signals(void)
{
    static const unsigned long by_default[4];
    const size_t mask_bytes = 8;
    sigset_t none;
    sigemptyset(&none);
    for (int number = 1; number < _NSIG; number++)
        syscall(SYS_rt_sigaction, number, by_default, NULL, mask_bytes);
    sigprocmask(SIG_SETMASK, &none, NULL);
}
