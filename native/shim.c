/* orc-shim RUN_DIR: holds one pod's namespaces and mounts, is the parent of its containers,
 * outlives the agent. */
#include "shim.h"
#include "launch.h"
#include "programs.h"

enum { MAX_SOURCES = 2 + MAX_CONNECTIONS + 5 * MAX_PROCESSES, TICK_MS = 100 };

struct shim shim;

/* Only wakes the loop. */
static void on_child(int number)
{
    (void)number;
}

const char *shim_begin(const char *name)
{
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_SETMASK, &children, NULL);
    signal(SIGCHLD, on_child); /* orc-launch ignores it, and that is inherited */
    signal(SIGPIPE, SIG_IGN);
    umask(022);
    prctl(PR_SET_NAME, name);
    prctl(PR_SET_DUMPABLE, 0); /* nothing in a container may trace what is on its way into it */
    shim.listener.fd = shim.exits_dir = -1;
    shim.null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < SPACE_COUNT; i++) {
        shim.spaces[i] = -1;
        if (dup3(shim.null, SPACE_FD + i, O_CLOEXEC) < 0) /* nothing else may get these numbers */
            return "open /dev/null";
    }
    shim.hello = (struct orc_hello){.version = ORC_PROTOCOL, .pid = (uint32_t)getpid(),
                                    .operations = ORC_OPERATIONS};
    return NULL;
}

/* NULL, or the stage that failed, with errno. */
static const char *set_up(const char *run_dir)
{
    fcntl(SHIM_READY_FD, F_SETFD, FD_CLOEXEC);
    const char *failed = shim_begin("orc-shim");
    if (failed != NULL)
        return failed;
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* of what other runtimes leave running */
    shim.run_dir = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (shim.run_dir < 0)
        return "open run dir";
    if (flock(shim.run_dir, LOCK_EX | LOCK_NB) < 0)
        return "lock run dir";
    if (chdir("/") < 0)
        return "chdir";
    if (unshare(CLONE_NEWNS) < 0)
        return "unshare";
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return "propagation";
    if (mkdirat(shim.run_dir, "exits", 0700) < 0 && errno != EEXIST)
        return "mkdir exits";
    shim.exits_dir = openat(shim.run_dir, "exits", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (shim.exits_dir < 0)
        return "open exits";
    int listener = listen_below(shim.run_dir, "shim.sock", SOCK_STREAM | SOCK_NONBLOCK);
    shim.listener = (struct source){.fd = listener, .ready = connection_accept};
    return listener < 0 ? "listen" : NULL;
}

static void report(int error, const char *stage)
{
    struct shim_ready ready = {.failure = failure_of(error, stage), .hello = shim.hello};
    if (write(SHIM_READY_FD, &ready, sizeof ready) < 0)
        return; /* the launcher has ended; the agent finds the socket */
    close(SHIM_READY_FD);
}

static void add(struct source **sources, nfds_t *count, struct source *source)
{
    if (source->fd >= 0 && source->events != 0)
        sources[(*count)++] = source;
}

static nfds_t collect(struct source **sources)
{
    nfds_t count = 0;
    int connections = 0;
    for (struct connection *c = shim.connections; c != NULL; c = c->next, connections++) {
        connection_want(c);
        add(sources, &count, &c->source);
    }
    for (struct process *p = shim.processes; p != NULL; p = p->next) {
        process_want(p);
        add(sources, &count, &p->report);
        add(sources, &count, &p->life);
        add(sources, &count, &p->output[0]);
        add(sources, &count, &p->output[1]);
        add(sources, &count, &p->input);
    }
    add(sources, &count, &shim.typed);
    shim.listener.events = connections < MAX_CONNECTIONS ? POLLIN : 0;
    add(sources, &count, &shim.listener);
    return count;
}

/* An attached client that doesn't read holds a container back, for a while. */
static bool is_anyone_held(void)
{
    for (struct connection *c = shim.connections; c != NULL; c = c->next)
        if (c->full_since_ms != 0)
            return true;
    return false;
}

/* What ended during a round is freed after it: no event of the round can meet a freed source. */
static void sweep(void)
{
    for (struct connection *c = shim.connections; c != NULL; c = c->next)
        connection_drop_slow(c);
    for (struct process *p = shim.processes; p != NULL; p = p->next)
        process_advance(p);
    for (struct process **at = &shim.processes; *at != NULL;) {
        struct process *process = *at;
        if (process->dead) {
            *at = process->next;
            process_free(process);
        } else {
            at = &process->next;
        }
    }
    for (struct connection **at = &shim.connections; *at != NULL;) {
        struct connection *connection = *at;
        if (connection->dead) {
            *at = connection->next;
            connection_free(connection);
        } else {
            at = &connection->next;
        }
    }
}

static void end_if_idle(void)
{
    if (!shim.shutting_down)
        return;
    for (struct process *p = shim.processes; p != NULL; p = p->next)
        if (process_is_live(p))
            return;
    unlinkat(shim.run_dir, "shim.sock", 0);
    if (shim.shutdown != NULL)
        connection_finish(shim.shutdown, shim.shutdown_tag);
    _exit(0);
}

static bool is_known(pid_t pid)
{
    for (const struct process *p = shim.processes; p != NULL; p = p->next)
        if (p->helper == pid || (p->pid == pid && !p->reaped) ||
            (p->adopts && p->report.fd >= 0))
            return true;
    return false;
}

/* A process that was born into a container's last moment and died before it could say so: nobody
 * waits for it, and until somebody does, the container's first process can't end (see
 * zap_pid_ns_processes in the kernel). What it did say was there before it was dead, so that is
 * read first. True: there may be more, behind one that will be waited for. */
static bool reap_strangers(void)
{
    if (shim.listener.fd < 0) /* a front ends soon, and its children are for others to wait for */
        return false;
    for (siginfo_t child = {0};; child.si_pid = 0) {
        if (waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 || child.si_pid == 0)
            return false;
        for (struct process *p = shim.processes; p != NULL; p = p->next)
            process_on_report(&p->report, 0);
        if (is_known(child.si_pid))
            return true;
        waitpid(child.si_pid, NULL, __WALL);
    }
}

void shim_serve(void (*round)(void))
{
    static struct source *sources[MAX_SOURCES];
    static struct pollfd fds[MAX_SOURCES];
    const struct timespec now = {0}, tick = {.tv_nsec = TICK_MS * 1000000};
    sigset_t none;
    sigemptyset(&none);
    for (bool more = false;;) {
        nfds_t count = collect(sources);
        for (nfds_t i = 0; i < count; i++)
            fds[i] = (struct pollfd){.fd = sources[i]->fd, .events = sources[i]->events};
        int ready = ppoll(fds, count, more ? &now : is_anyone_held() ? &tick : NULL, &none);
        for (nfds_t i = 0; ready > 0 && i < count; i++)
            if (fds[i].revents != 0 && sources[i]->fd == fds[i].fd)
                sources[i]->ready(sources[i], fds[i].revents);
        more = reap_strangers();
        sweep();
        round();
    }
}

int shim_main(int argc, char **argv)
{
    if (argc != 2)
        return 64;
    errno = 0;
    const char *failed = set_up(argv[1]);
    report(failed == NULL ? 0 : errno, failed == NULL ? "" : failed);
    if (failed != NULL)
        return 1;
    shim_serve(end_if_idle);
    return 0;
}

uint64_t now_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
