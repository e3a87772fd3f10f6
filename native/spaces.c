/* Operations on namespaces; and a terminal of theirs. */
#include "paths.h"

enum { MAX_MAP_WORDS = 24 };

/* The descriptor has the same number as in the shim: netlink messages name it. */
static bool put_space(struct task *task, uint32_t space, int fd)
{
    if (space >= SPACE_COUNT)
        return task_refuse(task, "namespace", EINVAL);
    if (fd < 0 || dup3(fd, SPACE_FD + (int)space, O_CLOEXEC) < 0)
        return task_fail(task, "open namespace");
    task->spaces[space] = SPACE_FD + (int)space;
    return true;
}

bool op_open_space(struct task *task, const struct orc_record *op)
{
    OWNED int fd = open(list_text(task->list, op, 0), O_RDONLY | O_CLOEXEC);
    return put_space(task, op->num[0], fd);
}

/* newuidmap(1): what the system lets its users map beyond themselves. `map` is spoilt. */
static bool help_map(const char *program, pid_t of, char *map)
{
    char pid[16], *argv[MAX_MAP_WORDS + 3] = {(char *)(uintptr_t)program, pid};
    int status = 0, count = 2;
    snprintf(pid, sizeof pid, "%d", of);
    for (char *word = strtok(map, " \n"); word != NULL; word = strtok(NULL, " \n"))
        if (count < MAX_MAP_WORDS + 2)
            argv[count++] = word;
    pid_t helper = call_clone(0, SIGCHLD, NULL, -1);
    if (helper == 0) {
        execv(program, argv);
        _exit(127);
    }
    return helper > 0 && waitpid(helper, &status, 0) == helper && status == 0;
}

/* Who is root outside leaves setgroups allowed. Others map themselves only, for which the kernel
 * wants it denied, or ask for help. */
static bool map_ids(struct task *task, const struct orc_record *op, int proc, pid_t pid)
{
    static const char *const files[] = {"uid_map", "gid_map"};
    static const char *const helpers[] = {"/usr/bin/newuidmap", "/usr/bin/newgidmap"};
    for (int i = 0; i < 2; i++) {
        char *map = (char *)(uintptr_t)list_text(task->list, op, i);
        bool is_own = geteuid() == 0 || strchr(map, '\n') == map + strlen(map) - 1;
        OWNED int deny = i == 1 && is_own && geteuid() != 0
                             ? openat(proc, "setgroups", O_WRONLY | O_CLOEXEC)
                             : -1;
        if (deny >= 0 && write(deny, "deny", 4) < 0)
            return task_fail(task, "setgroups");
        OWNED int fd = openat(proc, files[i], O_WRONLY | O_CLOEXEC);
        errno = is_own ? errno : EPERM;
        if (is_own ? fd < 0 || write(fd, map, op->text[i].length) < 0
                   : !help_map(helpers[i], pid, map))
            return task_fail(task, files[i]);
    }
    OWNED int space = openat(proc, "ns/user", O_RDONLY | O_CLOEXEC);
    return put_space(task, op->num[0], space);
}

/* Maps are written from outside, so a child is in the new namespace; it stops when it has put its
 * directory of /proc into the descriptors that both share: there its pid may be another one. */
bool op_new_user(struct task *task, const struct orc_record *op)
{
    int status = 0;
    OWNED int proc = open("/", O_PATH | O_CLOEXEC);
    pid_t pid = proc < 0 ? -1 : call_clone(CLONE_NEWUSER | CLONE_FILES, SIGCHLD, NULL, -1);
    if (pid == 0) {
        if (geteuid() != 0 || getuid() != 0)
            prctl(PR_SET_DUMPABLE, 1); /* else its directory of /proc were root's */
        OWNED int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (self >= 0 && dup3(self, proc, O_CLOEXEC) >= 0)
            kill(getpid(), SIGSTOP);
        _exit(1);
    }
    if (pid < 0)
        return task_fail(task, "clone");
    errno = ECHILD;
    bool mapped = waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status)
                      ? map_ids(task, op, proc, pid)
                      : task_fail(task, "open /proc");
    int error = errno;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    errno = error;
    return mapped;
}

bool op_hold(struct task *task, const struct orc_record *op)
{
    uint32_t space = op->num[0];
    struct report held = {.type = REPORT_SPACE, .failure.index = (int32_t)space};
    if (space >= SPACE_COUNT || task->spaces[space] < 0)
        return task_refuse(task, "namespace", EBADF);
    task->stage = "send namespace";
    return task_send(task->report, &held, task->spaces[space]);
}

bool op_join(struct task *task, const struct orc_record *op)
{
    static const int kinds[] = {CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWIPC,    CLONE_NEWUTS,
                                CLONE_NEWNS,   CLONE_NEWPID, CLONE_NEWCGROUP, CLONE_NEWTIME};
    if (op->num[0] > SPACE_TIME)
        return task_refuse(task, "operation", EINVAL);
    return task_did(task, "setns", setns(task->spaces[op->num[0]], kinds[op->num[0]]));
}

bool op_unshare(struct task *task, const struct orc_record *op)
{
    return task_did(task, "unshare", unshare((int)op->num[0]));
}

/* A pid namespace is entered only by a child. CLONE_PARENT makes that child the shim's own, to
 * be reaped there. */
bool op_fork(struct task *task, const struct orc_record *op)
{
    struct report child = {.type = REPORT_CHILD};
    (void)op;
    pid_t pid = call_clone(CLONE_PARENT, 0, NULL, -1);
    if (pid < 0)
        return task_fail(task, "clone");
    if (pid > 0)
        _exit(0);
    return task_send(task->report, &child, -1);
}

bool op_enter_container(struct task *task, const struct orc_record *op)
{
    int first = task->find_container(list_text(task->list, op, 0));
    if (first < 0)
        return task_refuse(task, "find container", ESRCH);
    return task_did(task, "setns", setns(first, (int)op->num[0])) && op_fork(task, op);
}

bool op_names(struct task *task, const struct orc_record *op)
{
    const char *host = list_text(task->list, op, 0), *domain = list_text(task->list, op, 1);
    if (host[0] != '\0' && sethostname(host, op->text[0].length) < 0)
        return task_fail(task, "sethostname");
    return domain[0] == '\0' ||
           task_did(task, "setdomainname", setdomainname(domain, op->text[1].length));
}

/* One request after the other, each until it is acknowledged. */
bool op_netlink(struct task *task, const struct orc_record *op)
{
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
        char rest[512];
    } answer = {.error.error = 0};
    const char *at = list_text(task->list, op, 0);
    struct nlmsghdr head;
    OWNED int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0)
        return task_fail(task, "socket");
    for (size_t left = op->text[0].length; left > 0; left -= head.nlmsg_len) {
        if (left < sizeof head)
            return task_refuse(task, "netlink", EINVAL);
        memcpy(&head, at, sizeof head);
        if (head.nlmsg_len < sizeof head || head.nlmsg_len > left || head.nlmsg_len % 4 != 0)
            return task_refuse(task, "netlink", EINVAL);
        if (send(fd, at, head.nlmsg_len, 0) < 0 || recv(fd, &answer, sizeof answer, 0) < 0)
            return task_fail(task, "netlink");
        int error = answer.head.nlmsg_type != NLMSG_ERROR ? -EPROTO : answer.error.error;
        if (error != 0)
            return task_refuse(task, "netlink", -error);
        at += head.nlmsg_len;
    }
    return true;
}

static bool is_terminal_maker(int fd)
{
    struct stat found;
    struct statfs system;
    return fstat(fd, &found) == 0 && S_ISCHR(found.st_mode) &&
           (found.st_rdev == makedev(5, 2)) && fstatfs(fd, &system) == 0 &&
           system.f_type == DEVPTS_SUPER_MAGIC;
}

/* What is mounted is what was opened (CVE-2025-52565). */
static bool bind_console(struct task *task, int terminal)
{
    OWNED int target = path_make_target(task, true, "/dev/console", false);
    return task_did(task, "open console", target) && mount_descriptor(task, terminal, target);
}

/* The other side comes from the master by ioctl, never by a path that the container could
 * exchange. */
bool op_terminal(struct task *task, const struct orc_record *op)
{
    struct report message = {.type = REPORT_TERMINAL};
    struct winsize size = {.ws_col = task->columns, .ws_row = task->rows};
    int unlock = 0;
    OWNED int master = path_open(task, true, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (master < 0)
        return task_fail(task, "open ptmx");
    if (!is_terminal_maker(master))
        return task_refuse(task, "check ptmx", ENODEV);
    if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
        return task_fail(task, "unlock terminal");
    OWNED int terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (!task_did(task, "open terminal", terminal) ||
        !task_did(task, "chown terminal", fchown(terminal, task->terminal_owner, (gid_t)-1)) ||
        !task_did(task, "resize terminal", ioctl(terminal, TIOCSWINSZ, &size)))
        return false;
    if (!task_send(task->report, &message, master))
        return task_fail(task, "send terminal");
    for (int fd = 0; fd < 3; fd++)
        if (dup2(terminal, fd) < 0)
            return task_fail(task, "dup terminal");
    return (op->flags & FLAG_CONSOLE) == 0 || bind_console(task, terminal);
}
