/* Operations that have another program make a process. */
#include "task.h"

enum { MAX_STRINGS = 64 }; /* of argv and env, with a NULL after each */

bool op_spawn(struct task *task, const struct orc_record *op)
{
    char *argv[MAX_STRINGS];
    int status = 0;
    OWNED int end = -1;
    if (op->num[0] == 0 || (uint64_t)op->num[0] + op->num[1] + 2 > MAX_STRINGS)
        return task_refuse(task, "operation", E2BIG);
    char **envp = list_vector(argv, list_text(task->list, op, 0), op->num[0]);
    list_vector(envp, list_text(task->list, op, 1), op->num[1]);
    pid_t pid = call_clone(0, SIGCHLD, &end, -1);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* who asked may be killed meanwhile */
        if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
            execve(argv[0], argv, envp);
        _exit(127);
    }
    struct pollfd wanted = {.fd = end, .events = POLLIN};
    if (pid < 0)
        return task_fail(task, "clone");
    if (poll(&wanted, 1, (int)op->num[2]) == 0)
        return task_refuse(task, "program", ETIMEDOUT); /* the task's end is the program's */
    bool worked = waitpid(pid, &status, 0) == pid && status == 0;
    return worked || task_refuse(task, "program", ECHILD);
}

bool op_adopt(struct task *task, const struct orc_record *op)
{
    char text[16] = "";
    OWNED int fd = open(list_text(task->list, op, 0), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || read(fd, text, sizeof text - 1) < 0)
        return task_fail(task, "read pid file");
    struct report orphan = {.type = REPORT_ADOPT, .failure.index = atoi(text)};
    errno = ESRCH;
    return orphan.failure.index > 1 && task_send(task->report, &orphan, -1);
}
