/* The sandbox's namespaces: made by a short-lived child, held by the shim as descriptors
 * SPACE_FD and up. */
#include "calls.h"
#include "descriptor.h"
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

static const char *const space_files[] = {
    [SPACE_USER] = "user", [SPACE_NETWORK] = "net", [SPACE_IPC] = "ipc", [SPACE_UTS] = "uts"};

static int make_spaces(const struct list *list, struct orc_failure *failure);
static int prepare(pid_t pid, int holder, const struct list *list, struct orc_failure *failure);
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
    *failure = failure_of(errno, name);
    return -failure->error;
}

/* The child waits until its maps are written, and tells when it has everything. */
static int make_spaces(const struct list *list, struct orc_failure *failure)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return stage(failure, "socketpair");
    OWNED int holder = pair[0];
    pid_t pid = call_clone(list->records[0].num[1] > 0 ? CLONE_NEWUSER : 0, SIGCHLD, NULL, -1);
    if (pid == 0)
        hold(list, pair[1]);
    int error = pid < 0 ? stage(failure, "clone") : 0;
    close(pair[1]);
    if (error < 0)
        return error;
    int result = prepare(pid, holder, list, failure);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return result;
}

static int prepare(pid_t pid, int holder, const struct list *list, struct orc_failure *failure)
{
    const struct orc_record *wanted = &list->records[0];
    int error = wanted->num[1] > 0 ? write_maps(pid, wanted->num[0], wanted->num[1], failure) : 0;
    if (error < 0)
        return error;
    if (write(holder, "", 1) < 0)
        return stage(failure, "holder");
    errno = ECHILD;
    if (recv(holder, failure, sizeof *failure, 0) != sizeof *failure)
        return stage(failure, "holder");
    return failure->error != 0 ? -failure->error : keep_spaces(pid, list, failure);
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
    OWNED int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

static int keep_spaces(pid_t pid, const struct list *list, struct orc_failure *failure)
{
    const struct orc_record *wanted = &list->records[0];
    char path[64];
    for (int i = 0; i < 4; i++) {
        if ((i == SPACE_USER && wanted->num[1] == 0) || (i == SPACE_NETWORK && wanted->num[2] == 0))
            continue;
        snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, space_files[i]);
        OWNED int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || dup3(fd, SPACE_FD + i, O_CLOEXEC) < 0)
            return stage(failure, "open namespace");
        shim.spaces[i] = SPACE_FD + i;
    }
    return 0;
}
