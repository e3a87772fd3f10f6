/* Where a container of the OCI command line waits between its creation and its start; and what
 * goes with that: sockets in directories. */
#include "task.h"

/* Through /proc/self/fd the path is short whatever the directory's is (sun_path holds 107
 * bytes). */
static struct sockaddr_un address_below(int directory, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", directory, name);
    return address;
}

int listen_below(int directory, const char *name, int type)
{
    struct sockaddr_un address = address_below(directory, name);
    OWNED int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    unlinkat(directory, name, 0);
    mode_t before = umask(0177);
    int error = fd < 0 ? -1 : bind(fd, (const struct sockaddr *)&address, sizeof address);
    umask(before);
    return error < 0 || listen(fd, 64) < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

int connect_below(const char *directory, const char *name, int type)
{
    int yes = 1;
    OWNED int place = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    OWNED int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = address_below(place, name);
    if (place < 0 || fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) < 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return -1;
    return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

/* While the host's paths are there. */
bool op_gate(struct task *task, const struct orc_record *op)
{
    OWNED int directory = open(list_text(task->list, op, 0), O_PATH | O_DIRECTORY | O_CLOEXEC);
    task->gate = directory < 0 ? -1 : listen_below(directory, "gate", SOCK_SEQPACKET);
    return task_did(task, "listen", task->gate);
}

/* Nothing of the host's is open while a container waits, but what it will have. */
static void close_others(const struct task *task)
{
    for (int fd = 3; fd < HANDED_FD + MAX_HANDED; fd++) {
        bool is_handed = fd >= HANDED_FD && fd < HANDED_FD + (int)task->handed_on;
        if (!is_handed && fd != task->gate && fd != task->report && fd != task->root)
            close(fd);
    }
}

/* Whoever started this may say go on; or end, and another one comes to the gate, who is told what
 * is reported from here on. */
bool op_await(struct task *task, const struct orc_record *op)
{
    struct report sync = {.type = REPORT_SYNC};
    struct pollfd fds[] = {{.fd = task->gate, .events = POLLIN},
                           {.fd = task->report, .events = POLLIN}};
    char go;
    (void)op;
    close_others(task);
    if (!task_send(task->report, &sync, -1))
        return false;
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return task_fail(task, "poll");
        if (fds[1].revents != 0 && read(task->report, &go, 1) == 1)
            return true;
        if (fds[1].revents != 0)
            fds[1].fd = -1;
        if (fds[0].revents == 0)
            continue;
        OWNED int comer = accept4(task->gate, NULL, NULL, SOCK_CLOEXEC);
        return task_did(task, "accept", comer) &&
               task_did(task, "accept", dup3(comer, task->report, O_CLOEXEC));
    }
}

bool op_input(struct task *task, const struct orc_record *op)
{
    OWNED int fd = open(list_text(task->list, op, 0), O_RDONLY | O_CLOEXEC);
    return task_did(task, "open", fd) && task_did(task, "open", dup2(fd, 0));
}

/* Who creates a container wants to hear of a program that isn't there, or is none. */
bool op_find(struct task *task, const struct orc_record *op)
{
    const char *path = list_text(task->list, op, 2);
    struct stat found;
    errno = ENOENT;
    for (uint32_t i = 0; i < op->num[2]; i++, path += strlen(path) + 1) {
        int before = errno;
        errno = EACCES;
        if (stat(path, &found) == 0 && S_ISREG(found.st_mode) && access(path, X_OK) == 0)
            return true;
        errno = before == EACCES || errno == EACCES ? EACCES : errno;
    }
    return task_fail(task, "find");
}
