/* The sandbox's namespaces: made by a short-lived child, held by the shim as descriptors
 * SPACE_FD and up. */
#include "calls.h"
#include "links.h"
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
    int flag;
    const char *file;
} kinds[] = {
    [SPACE_USER] = {CLONE_NEWUSER, "user"},
    [SPACE_NETWORK] = {CLONE_NEWNET, "net"},
    [SPACE_IPC] = {CLONE_NEWIPC, "ipc"},
    [SPACE_UTS] = {CLONE_NEWUTS, "uts"},
};

static int make_spaces(const struct list *list, struct orc_failure *failure);
_Noreturn static void hold(const struct list *list, int parent);
static int tell(int parent, const char *stage);
static int write_maps(pid_t pid, uint32_t first, uint32_t ids, struct orc_failure *failure);
static int write_proc(pid_t pid, const char *file, const char *text);
static int keep_spaces(pid_t pid, const struct list *list, struct orc_failure *failure);

int sandbox_create(const struct list *list, struct orc_failure *failure)
{
    if (shim.has_sandbox)
        return 0;
    int error = make_spaces(list, failure);
    if (error == 0) {
        shim.has_sandbox = true;
        shim.first_id = list->records[0].num[1] > 0 ? list->records[0].num[0] : 0;
        return 0;
    }
    for (int i = 0; i < 4; i++) {
        dup3(shim.null, SPACE_FD + i, O_CLOEXEC);
        shim.spaces[i] = -1;
    }
    return error;
}

static int stage(struct orc_failure *failure, const char *name)
{
    failure->index = -1;
    failure->error = errno;
    snprintf(failure->stage, sizeof failure->stage, "%s", name);
    return -errno;
}

/* The child reports twice: when it has its user namespace (then the maps are written), and when
 * it has everything. */
static int make_spaces(const struct list *list, struct orc_failure *failure)
{
    const struct orc_record *wanted = &list->records[0];
    int pair[2];
    int result = 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return stage(failure, "socketpair");
    pid_t pid = call_clone(wanted->num[1] > 0 ? CLONE_NEWUSER : 0, SIGCHLD, NULL, -1);
    if (pid == 0)
        hold(list, pair[1]);
    close(pair[1]);
    if (pid < 0)
        result = stage(failure, "clone");
    if (result == 0 && wanted->num[1] > 0)
        result = write_maps(pid, wanted->num[0], wanted->num[1], failure);
    if (result == 0 && write(pair[0], "", 1) < 0)
        result = stage(failure, "holder");
    if (result == 0) {
        errno = ECHILD;
        if (recv(pair[0], failure, sizeof *failure, 0) != sizeof *failure)
            result = stage(failure, "holder");
        else
            result = -failure->error;
    }
    if (result == 0)
        result = keep_spaces(pid, list, failure);
    close(pair[0]);
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    return result;
}

static void hold(const struct list *list, int parent)
{
    const char *hostname = list_text(list, &list->records[0], 0);
    bool network = list->records[0].num[2] != 0;
    char go;
    if (read(parent, &go, 1) != 1)
        _exit(1);
    if (unshare((network ? CLONE_NEWNET : 0) | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        _exit(tell(parent, "unshare"));
    if (sethostname(hostname, strlen(hostname)) < 0)
        _exit(tell(parent, "sethostname"));
    if (network && link_up("lo") < 0)
        _exit(tell(parent, "link up"));
    errno = 0;
    tell(parent, "");
    pause();
    _exit(0);
}

static int tell(int parent, const char *what)
{
    struct orc_failure failure = {0};
    stage(&failure, what);
    return write(parent, &failure, sizeof failure) < 0 ? 2 : 1;
}

/* One line for both files: "0 first ids". setgroups stays allowed, because the writer is
 * privileged outside. */
static int write_maps(pid_t pid, uint32_t first, uint32_t ids, struct orc_failure *failure)
{
    char map[64];
    snprintf(map, sizeof map, "0 %u %u\n", first, ids);
    if (write_proc(pid, "uid_map", map) < 0)
        return stage(failure, "uid_map");
    if (write_proc(pid, "gid_map", map) < 0)
        return stage(failure, "gid_map");
    return 0;
}

static int write_proc(pid_t pid, const char *file, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t written = write(fd, text, strlen(text));
    int error = errno;
    close(fd);
    errno = error;
    return written < 0 ? -1 : 0;
}

static int keep_spaces(pid_t pid, const struct list *list, struct orc_failure *failure)
{
    const struct orc_record *wanted = &list->records[0];
    char path[64];
    for (int i = 0; i < 4; i++) {
        if ((i == SPACE_USER && wanted->num[1] == 0) || (i == SPACE_NETWORK && wanted->num[2] == 0))
            continue;
        snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, kinds[i].file);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return stage(failure, "open namespace");
        int kept = dup3(fd, SPACE_FD + i, O_CLOEXEC);
        close(fd);
        if (kept < 0)
            return stage(failure, "open namespace");
        shim.spaces[i] = kept;
    }
    return 0;
}
