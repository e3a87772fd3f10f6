#include "calls.h"
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child's ends of everything, and what only the parent's side of the fork needs. */
struct birth {
    int child[3];
    int report;
    int cgroup;
};

static struct process *make_process(struct connection *client, uint32_t tag, uint16_t type,
                                    const struct list *list);
static int prepare(struct process *process, struct birth *birth, const struct list *list);
static int prepare_container(struct process *process, struct birth *birth, const struct list *list);
static int prepare_exec(struct process *process, struct birth *birth, const struct list *list);
static int make_pipe(struct source *source, int *child, bool is_input);
static void own(const struct birth *birth, uint32_t owner);
static int give_birth(struct process *process, struct birth *birth, struct list *list);
_Noreturn static void live(const struct process *process, const struct birth *birth,
                           struct list *list);
static int find_container(const char *name);
static void set_failure(struct process *process, int error, const char *stage);
static void close_birth(struct birth *birth);
static void on_report(struct source *source, short events);
static bool take_report(struct process *process);
static void adopt(struct process *process, pid_t pid);
static void take_terminal(struct process *process, int master);
static void on_end(struct source *source, short events);
static void settle(struct process *process);
static void finish(struct process *process);
static void record_exit(const struct process *process);
static void signal_all(const struct process *process, int signal);

struct process *process_find(const char *name)
{
    for (struct process *p = shim.processes; p != NULL; p = p->next)
        if (p->role == ROLE_CONTAINER && !p->dead && strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

void process_start(struct connection *client, uint32_t tag, uint16_t type, struct list *list)
{
    struct birth birth = {.child = {-1, -1, -1}, .report = -1, .cgroup = -1};
    struct process *process = make_process(client, tag, type, list);
    if (process == NULL) {
        struct orc_failure failure = {.index = -1, .error = errno, .stage = "admit"};
        connection_fail(client, tag, &failure);
        return;
    }
    if (process->role == ROLE_EXEC) {
        client->is_session = true;
        client->session = process;
    }
    if (prepare(process, &birth, list) < 0 || give_birth(process, &birth, list) < 0) {
        process->failed = process->reaped = true;
        stream_close(&process->report);
    }
    close_birth(&birth);
    process->next = shim.processes;
    shim.processes = process;
}

void process_kill(struct process *process, int signal, bool all)
{
    if (process == NULL || process->reaped || process->life.fd < 0)
        return;
    if (all && signal != SIGKILL && process->role == ROLE_CONTAINER)
        signal_all(process, signal);
    pidfd_send_signal(process->life.fd, signal, NULL, 0);
}

void process_want(struct process *process)
{
    bool flowing = process->settled &&
                   (process->client == NULL || process->client->out_used < OUTPUT_HIGH);
    process->report.events = POLLIN;
    process->life.events = POLLIN;
    process->output[0].events = process->output[1].events = flowing ? POLLIN : 0;
    process->input.events = process->settled && stream_has_input(process) ? POLLOUT : 0;
}

/* The client is gone. The group is killed too: the list of an exec makes a session, so it is the
 * process' own. */
void process_hang_up(struct process *process)
{
    process->hung_up = true;
    if (process->reaped)
        return;
    process_kill(process, SIGKILL, false);
    if (process->settled && process->pid > 1)
        kill(-process->pid, SIGKILL);
    for (int i = 0; i < 2; i++)
        stream_close(&process->output[i]);
    stream_close(&process->input);
}

void process_state(const struct process *process, struct orc_state *state)
{
    memset(state, 0, sizeof *state);
    snprintf(state->name, sizeof state->name, "%s", process->name);
    state->pid = (uint32_t)process->pid;
    state->ended = process->reaped;
    state->exit_code = (uint32_t)process->exit_code;
    state->signal = (uint32_t)process->signal;
    state->started_ms = process->started_ms;
    state->finished_ms = process->finished_ms;
}

bool process_is_live(const struct process *process)
{
    return !process->dead && !process->reaped;
}

void process_advance(struct process *process)
{
    if (process->report.fd >= 0 || process->dead)
        return;
    if (!process->settled)
        settle(process);
    if (process->settled && process->reaped && !process->finished && !process->dead)
        finish(process);
}

void process_forget(struct process *process)
{
    unlinkat(shim.exits_dir, process->name, 0);
    process->dead = true;
}

void process_free(struct process *process)
{
    if (process->log != NULL)
        log_close(process->log);
    for (int i = 0; i < 2; i++)
        stream_close(&process->output[i]);
    stream_close(&process->input);
    stream_close(&process->report);
    stream_close(&process->life);
    free(process->pending);
    free(process);
}

static struct process *make_process(struct connection *client, uint32_t tag, uint16_t type,
                                    const struct list *list)
{
    const struct source none = {.fd = -1};
    int count = 0;
    bool container = type == FRAME_START;
    for (struct process *p = shim.processes; p != NULL; p = p->next)
        count++;
    errno = EEXIST;
    if (container && process_find(list_text(list, &list->records[0], 0)) != NULL)
        return NULL;
    errno = EAGAIN;
    struct process *process = count < MAX_PROCESSES ? calloc(1, sizeof *process) : NULL;
    if (process == NULL)
        return NULL;
    process->role = container ? ROLE_CONTAINER : type == FRAME_EXEC ? ROLE_EXEC : ROLE_RUN;
    process->client = client;
    process->tag = tag;
    process->report = process->life = process->input = none;
    process->output[0] = process->output[1] = none;
    process->failure.index = -1;
    if (type != FRAME_RUN)
        snprintf(process->name, sizeof process->name, "%s", list_text(list, &list->records[0], 0));
    return process;
}

static int prepare(struct process *process, struct birth *birth, const struct list *list)
{
    int pair[2], yes = 1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return set_failure(process, errno, "socketpair"), -1;
    birth->report = pair[1];
    process->report = (struct source){.fd = pair[0], .ready = on_report, .owner = process};
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes);
    switch (process->role) {
    case ROLE_CONTAINER: return prepare_container(process, birth, list);
    case ROLE_EXEC:      return prepare_exec(process, birth, list);
    case ROLE_RUN:       return 0;
    }
    return 0;
}

static int prepare_container(struct process *process, struct birth *birth, const struct list *list)
{
    const struct orc_record *wanted = &list->records[0];
    const char *cgroup = list_text(list, wanted, 1);
    if (cgroup[0] != '\0') {
        birth->cgroup = open(cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (birth->cgroup < 0)
            return set_failure(process, errno, "open cgroup"), -1;
    }
    process->log = log_open(list_text(list, wanted, 2), wanted->wide[0], wanted->num[0]);
    if (process->log == NULL)
        return set_failure(process, errno, "open log"), -1;
    for (int i = 0; i < 2; i++)
        if (make_pipe(&process->output[i], &birth->child[i + 1], false) < 0)
            return set_failure(process, errno, "pipe"), -1;
    process->output[0].owner = process->output[1].owner = process;
    own(birth, wanted->num[1]);
    return 0;
}

static int prepare_exec(struct process *process, struct birth *birth, const struct list *list)
{
    const struct orc_record *wanted = &list->records[0];
    process->terminal = (wanted->flags & FLAG_TERMINAL) != 0;
    if (process->terminal)
        return 0; /* it comes from inside the container */
    if ((wanted->flags & FLAG_INPUT) != 0 && make_pipe(&process->input, &birth->child[0], true) < 0)
        return set_failure(process, errno, "pipe"), -1;
    for (int i = 0; i < 2; i++)
        if (make_pipe(&process->output[i], &birth->child[i + 1], false) < 0)
            return set_failure(process, errno, "pipe"), -1;
    process->output[0].owner = process->output[1].owner = process->input.owner = process;
    own(birth, wanted->num[0]);
    return 0;
}

static int make_pipe(struct source *source, int *child, bool is_input)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    *child = ends[is_input ? 0 : 1];
    source->fd = ends[is_input ? 1 : 0];
    source->ready = is_input ? stream_input_ready : stream_output_ready;
    return fcntl(source->fd, F_SETFL, O_NONBLOCK);
}

/* A program that isn't root opens /dev/stdout anew: the pipe must be its own. */
static void own(const struct birth *birth, uint32_t owner)
{
    for (int i = 0; i < 3; i++)
        if (birth->child[i] >= 0 && fchown(birth->child[i], shim.first_id + owner, (gid_t)-1) < 0)
            continue;
}

static int give_birth(struct process *process, struct birth *birth, struct list *list)
{
    int pidfd = -1;
    uint64_t flags = process->role == ROLE_CONTAINER ? CLONE_NEWPID | CLONE_NEWNS : 0;
    pid_t pid = call_clone(flags, SIGCHLD, &pidfd, birth->cgroup);
    if (pid == 0)
        live(process, birth, list);
    if (pid < 0)
        return set_failure(process, errno, "clone"), -1;
    process->pid = pid;
    process->life = (struct source){.fd = pidfd, .ready = on_end, .owner = process};
    return 0;
}

static void live(const struct process *process, const struct birth *birth, struct list *list)
{
    const struct orc_record *wanted = &list->records[0];
    struct task task = {
        .list = list, .root = -1, .report = birth->report, .find_container = find_container};
    for (int fd = 0; fd < 3; fd++)
        if (dup2(birth->child[fd] >= 0 ? birth->child[fd] : shim.null, fd) < 0)
            _exit(1);
    memcpy(task.spaces, shim.spaces, sizeof task.spaces);
    if (process->role == ROLE_EXEC) {
        task.terminal = process->terminal;
        task.terminal_owner = shim.first_id + wanted->num[0];
        task.columns = (uint16_t)wanted->num[1];
        task.rows = (uint16_t)wanted->num[2];
    }
    task_run(&task);
}

static int find_container(const char *name)
{
    const struct process *process = process_find(name);
    return process != NULL && process->settled && !process->reaped ? process->life.fd : -1;
}

static void set_failure(struct process *process, int error, const char *stage)
{
    process->failed = true;
    process->failure = (struct orc_failure){.index = -1, .error = error};
    snprintf(process->failure.stage, sizeof process->failure.stage, "%s", stage);
}

static void close_birth(struct birth *birth)
{
    int *fds[] = {&birth->child[0], &birth->child[1], &birth->child[2], &birth->report,
                  &birth->cgroup};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (*fds[i] >= 0)
            close(*fds[i]);
}

static void on_report(struct source *source, short events)
{
    (void)events;
    while (source->fd >= 0 && take_report(source->owner))
        continue;
}

/* False: nothing more now. The sender's pid is the kernel's word, translated into the shim's pid
 * namespace. */
static bool take_report(struct process *process)
{
    struct report report;
    struct iovec part = {&report, sizeof report};
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr envelope = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                              .msg_controllen = sizeof control};
    struct ucred sender = {0};
    int descriptor = -1;
    ssize_t got = recvmsg(process->report.fd, &envelope, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got != sizeof report) {
        stream_close(&process->report);
        return false;
    }
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&envelope); c != NULL; c = CMSG_NXTHDR(&envelope, c)) {
        if (c->cmsg_type == SCM_CREDENTIALS)
            memcpy(&sender, CMSG_DATA(c), sizeof sender);
        else if (c->cmsg_type == SCM_RIGHTS)
            memcpy(&descriptor, CMSG_DATA(c), sizeof descriptor);
    }
    if (report.type == REPORT_CHILD)
        adopt(process, sender.pid);
    else if (report.type == REPORT_TERMINAL)
        take_terminal(process, descriptor);
    else if (report.type == REPORT_READY)
        process->ready = true;
    else if (report.type == REPORT_FAILED) {
        process->failed = true;
        process->failure = report.failure;
    }
    return true;
}

/* enter-container's helper has cloned the process proper and ends; from now on that one is
 * meant. */
static void adopt(struct process *process, pid_t pid)
{
    if (!process->reaped)
        waitpid(process->pid, NULL, 0);
    stream_close(&process->life);
    process->pid = pid;
    process->reaped = false;
    process->life = (struct source){.fd = pidfd_open(pid, 0), .ready = on_end, .owner = process};
    if (process->hung_up || shim.shutting_down)
        process_kill(process, SIGKILL, false);
}

static void take_terminal(struct process *process, int master)
{
    int input = fcntl(master, F_DUPFD_CLOEXEC, SPACE_FD);
    process->output[0] = (struct source){master, 0, stream_output_ready, process};
    process->input = (struct source){input, 0, stream_input_ready, process};
}

static void on_end(struct source *source, short events)
{
    (void)events;
    struct process *process = source->owner;
    siginfo_t status = {0};
    if (waitid(P_PID, (id_t)process->pid, &status, WEXITED | WNOHANG) < 0 || status.si_pid == 0)
        return;
    process->reaped = true;
    process->finished_ms = now_ms();
    process->signal = status.si_code == CLD_EXITED ? 0 : status.si_status;
    process->exit_code = status.si_code == CLD_EXITED ? status.si_status : 128 + status.si_status;
    stream_close(source);
}

/* The report socket is closed: by exec (or the end of a run), after a failure, or by a sudden
 * death. */
static void settle(struct process *process)
{
    bool run = process->role == ROLE_RUN;
    struct orc_state state;
    if (process->ready && !process->failed && (!run || process->reaped)) {
        process->settled = true;
        process->started_ms = process->started_ms == 0 ? now_ms() : process->started_ms;
        process->dead = run;
        process_state(process, &state);
        if (process->client != NULL)
            connection_send(process->client, FRAME_DONE, process->tag, &state,
                            run ? 0 : sizeof state);
        if (process->role == ROLE_EXEC)
            stream_start(process);
        else
            process->client = NULL;
        return;
    }
    if (!process->reaped)
        return;
    if (!process->failed)
        set_failure(process, ECANCELED, "died");
    if (process->log != NULL)
        log_abandon(process->log);
    process->log = NULL;
    process->dead = true;
    if (process->client == NULL)
        return;
    connection_fail(process->client, process->tag, &process->failure);
    if (process->role == ROLE_EXEC && process->client != NULL)
        connection_end_session(process->client);
}

static void finish(struct process *process)
{
    struct orc_state state;
    if (!stream_drain(process))
        return;
    process->finished = true;
    stream_close(&process->input);
    process_state(process, &state);
    if (process->role == ROLE_EXEC) {
        process->dead = true;
        if (process->client == NULL)
            return;
        connection_send(process->client, FRAME_EXITED, 0, &state, sizeof state);
        if (process->client != NULL)
            connection_end_session(process->client);
        return;
    }
    log_close(process->log);
    process->log = NULL;
    record_exit(process);
    connections_broadcast(FRAME_EXITED, &state, sizeof state);
}

/* What survives the shim: "code signal started finished pid", written whole or not at all. */
static void record_exit(const struct process *process)
{
    char text[128], temporary[ORC_MAX_NAME + 8];
    int length = snprintf(text, sizeof text, "%d %d %llu %llu %d\n", process->exit_code,
                          process->signal, (unsigned long long)process->started_ms,
                          (unsigned long long)process->finished_ms, process->pid);
    snprintf(temporary, sizeof temporary, ".%s.tmp", process->name);
    int fd = openat(shim.exits_dir, temporary,
                    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return; /* `list` still has it; only the death of the shim as well loses it */
    bool written = write(fd, text, (size_t)length) == length && fsync(fd) == 0;
    close(fd);
    if (!written || renameat(shim.exits_dir, temporary, shim.exits_dir, process->name) < 0)
        unlinkat(shim.exits_dir, temporary, 0);
}

/* kill(-1) from inside the pid namespace reaches, at one instant, every process of it but its
 * first. */
static void signal_all(const struct process *process, int signal)
{
    pid_t helper = call_clone(0, SIGCHLD, NULL, -1);
    if (helper == 0) {
        if (setns(process->life.fd, CLONE_NEWPID) < 0)
            _exit(1);
        pid_t inside = call_clone(0, SIGCHLD, NULL, -1);
        if (inside == 0)
            _exit(kill(-1, signal) < 0);
        waitpid(inside, NULL, 0);
        _exit(0);
    }
    if (helper > 0)
        waitpid(helper, NULL, 0);
}
