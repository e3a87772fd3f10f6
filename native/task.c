#include "task.h"

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
        if (!list_operation(&task->list->records[i])(task, &task->list->records[i]))
            report_failure(task, (int)i - 1, errno);
    }
    task_send(task->report, &ready, -1);
    _exit(0);
}

bool task_fail(struct task *task, const char *stage)
{
    task->stage = stage;
    return false;
}

bool task_refuse(struct task *task, const char *stage, int error)
{
    errno = error;
    return task_fail(task, stage);
}

bool task_did(struct task *task, const char *stage, long result)
{
    return result >= 0 || task_fail(task, stage);
}

bool send_descriptor(int to, const void *bytes, size_t size, int descriptor)
{
    struct iovec part = {(void *)(uintptr_t)bytes, size};
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
                          .cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS}};
    struct msghdr envelope = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                              .msg_controllen = sizeof control.space};
    memcpy(CMSG_DATA(&control.head), &descriptor, sizeof descriptor);
    return sendmsg(to, &envelope, MSG_NOSIGNAL) >= 0;
}

bool task_send(int report, const struct report *message, int descriptor)
{
    if (descriptor >= 0)
        return send_descriptor(report, message, sizeof *message, descriptor);
    /* write, not sendmsg: a seccomp filter may already be on */
    return write(report, message, sizeof *message) >= 0;
}

bool task_ask(const struct task *task, const struct report *message)
{
    char go;
    if (!task_send(task->report, message, -1))
        return false;
    if (read(task->report, &go, 1) != 1)
        _exit(1);
    return true;
}

bool op_sync(struct task *task, const struct orc_record *op)
{
    struct report sync = {.type = REPORT_SYNC};
    (void)op;
    return task_ask(task, &sync);
}
