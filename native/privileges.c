/* Operations on the process itself: session, keyring, ids, capabilities, filter, exec. */
#include "task.h"

enum { MAX_GROUPS = 65536, MAX_CAPABILITY = 63 };

bool op_new_session(struct task *task, const struct orc_record *op)
{
    if (setsid() < 0)
        return task_fail(task, "setsid");
    return (op->flags & FLAG_TERMINAL) == 0 ||
           task_did(task, "controlling terminal", ioctl(STDIN_FILENO, TIOCSCTTY, 0));
}

bool op_new_keyring(struct task *task, const struct orc_record *op)
{
    (void)op;
    return task_did(task, "keyctl", syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL));
}

bool op_umask(struct task *task, const struct orc_record *op)
{
    task->umask = op->num[0] & 0777;
    return true;
}

/* Capabilities last until set-caps: kept over the change of ids, and effective again after it. */
bool op_set_ids(struct task *task, const struct orc_record *op)
{
    static gid_t groups[MAX_GROUPS];
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct halves[2];
    size_t bytes = op->text[0].length;
    if (bytes % sizeof(gid_t) != 0 || bytes > sizeof groups)
        return task_refuse(task, "operation", EINVAL);
    memcpy(groups, list_text(task->list, op, 0), bytes);
    bool keeps = bytes == 0 && (op->flags & FLAG_OPTIONAL) != 0;
    bool changed =
        task_did(task, "keepcaps", prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)) &&
        (keeps || task_did(task, "setgroups", setgroups(bytes / sizeof(gid_t), groups))) &&
        task_did(task, "setresgid", setresgid(op->num[1], op->num[1], op->num[1])) &&
        task_did(task, "setresuid", setresuid(op->num[0], op->num[0], op->num[0])) &&
        task_did(task, "keepcaps", prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0)) &&
        task_did(task, "capget", syscall(SYS_capget, &head, halves));
    for (int i = 0; i < 2 && changed; i++)
        halves[i].effective = halves[i].permitted;
    return changed && task_did(task, "capset", syscall(SYS_capset, &head, halves));
}

bool op_drop_bounding(struct task *task, const struct orc_record *op)
{
    for (unsigned long bit = 0; bit <= MAX_CAPABILITY; bit++) {
        if (prctl(PR_CAPBSET_READ, bit, 0, 0, 0) < 0)
            break; /* this kernel has no more */
        if ((op->wide[0] >> bit & 1) == 0 && prctl(PR_CAPBSET_DROP, bit, 0, 0, 0) < 0)
            return task_fail(task, "capbset");
    }
    return true;
}

bool op_set_caps(struct task *task, const struct orc_record *op)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct halves[2];
    for (int i = 0; i < 2; i++)
        halves[i] = (struct __user_cap_data_struct){
            .effective = (uint32_t)(op->wide[0] >> 32 * i),
            .permitted = (uint32_t)(op->wide[1] >> 32 * i),
            .inheritable = (uint32_t)(op->wide[2] >> 32 * i),
        };
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return task_fail(task, "ambient");
    if (syscall(SYS_capset, &head, halves) < 0)
        return task_fail(task, "capset");
    for (unsigned long bit = 0; bit <= MAX_CAPABILITY; bit++)
        if ((op->wide[3] >> bit & 1) != 0 &&
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, bit, 0, 0) < 0)
            return task_fail(task, "ambient");
    return true;
}

bool op_setting(struct task *task, const struct orc_record *op)
{
    static const char *const stages[] = {"prlimit", "sched_setattr", "ioprio_set",
                                         "sched_setaffinity", "personality", "set_mempolicy"};
    const uint32_t *num = &op->num[1];
    const uint64_t *wide = op->wide;
    struct rlimit limit = {wide[0], wide[1]};
    struct sched_attr attributes = {.size = SCHED_ATTR_SIZE_VER0,
                                    .sched_policy = num[0],
                                    .sched_nice = (int32_t)num[1],
                                    .sched_priority = num[2],
                                    .sched_flags = wide[0],
                                    .sched_runtime = wide[1],
                                    .sched_deadline = wide[2],
                                    .sched_period = wide[3]};
    const char *mask = list_text(task->list, op, 0);
    long error = -1;
    if (op->num[0] >= LENGTH(stages))
        return task_refuse(task, "operation", EINVAL);
    if (op->num[0] == SETTING_RLIMIT)
        error = setrlimit(num[0], &limit);
    else if (op->num[0] == SETTING_SCHEDULER)
        error = syscall(SYS_sched_setattr, 0, &attributes, 0);
    else if (op->num[0] == SETTING_IO_PRIORITY)
        error = syscall(SYS_ioprio_set, 1 /* a process */, 0, num[0]);
    else if (op->num[0] == SETTING_AFFINITY)
        error = syscall(SYS_sched_setaffinity, 0, op->text[0].length, mask);
    else if (op->num[0] == SETTING_MEMORY_POLICY)
        error = syscall(SYS_set_mempolicy, num[0], op->text[0].length > 0 ? mask : NULL,
                        op->text[0].length * CHAR_BIT);
    else
        error = personality(num[0]);
    return task_did(task, stages[op->num[0]], error);
}

bool op_no_new_privs(struct task *task, const struct orc_record *op)
{
    (void)op;
    return task_did(task, "prctl", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/* A change of credentials clears PR_SET_PDEATHSIG (kernel/cred.c), and so does exec of a set-
 * user-ID file: hence here, after set-ids. A shim that died before is seen by its end of the
 * socket. */
static void die_with_shim(const struct task *task)
{
    struct pollfd shim = {.fd = task->report};
    if (task->stays)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (poll(&shim, 1, 0) > 0 && (shim.revents & POLLHUP) != 0)
        _exit(1);
}

/* What must be done while the process may still do everything: a filter can forbid each of these
 * calls. */
static bool seal(struct task *task)
{
    struct report ready = {.type = REPORT_READY};
    if (task->sealed)
        return true;
    die_with_shim(task);
    if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        return task_fail(task, "close_range");
    if (task->handed_on > 0)
        task->report = fcntl(task->report, F_DUPFD_CLOEXEC, HANDED_FD + MAX_HANDED);
    for (uint32_t i = 0; i < task->handed_on; i++)
        if (dup2(HANDED_FD + (int)i, 3 + (int)i) < 0 && errno != EBADF) /* it wasn't open */
            return task_fail(task, "hand on");
    task->sealed = task_send(task->report, &ready, -1);
    return task->sealed || task_fail(task, "report");
}

bool op_seccomp(struct task *task, const struct orc_record *op)
{
    size_t bytes = op->text[0].length;
    if (bytes == 0 || bytes % sizeof(struct sock_filter) != 0 ||
        bytes / sizeof(struct sock_filter) > BPF_MAXINSNS)
        return task_refuse(task, "operation", EINVAL);
    struct sock_fprog program = {
        .len = (unsigned short)(bytes / sizeof(struct sock_filter)),
        .filter = (void *)(uintptr_t)list_text(task->list, op, 0),
    };
    if (!seal(task))
        return false;
    long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, op->num[0], &program);
    if (listener < 0)
        return task_fail(task, "seccomp");
    struct report message = {.type = REPORT_LISTENER, .failure.index = (int32_t)listener};
    bool listens = (op->num[0] & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0;
    return !listens || task_ask(task, &message);
}

/* What is no program is no script for /bin/sh either. */
bool op_exec(struct task *task, const struct orc_record *op)
{
    const char *path = list_text(task->list, op, 2); /* the candidates, in order */
    bool filtered = task->sealed;
    int error = ENOENT;
    if (!seal(task))
        return false;
    /* ids or caps set after the filter may have cleared it; it may be refused */
    if (filtered && !task->stays)
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    umask(task->umask);
    environ = task->list->envp;
    for (uint32_t i = 0; i < op->num[2]; i++, path += strlen(path) + 1) {
        execv(path, task->list->argv);
        if (error == ENOENT || errno == EACCES)
            error = errno;
        if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
            break;
    }
    return task_refuse(task, "execve", error);
}
