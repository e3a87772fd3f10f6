/* The life and the end of a process: its reports, its state, its exit. */
#include "shim.h"

struct process *process_find(const char *name)
{
    for (struct process *p = shim.processes; p != NULL; p = p->next)
        if (p->role == ROLE_CONTAINER && !p->dead && strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

void process_attach(struct process *process, struct connection *client, uint32_t tag,
                    bool gives_input)
{
    if (process == NULL || !process->settled || process->finished)
        return connection_refuse(client, tag, ESRCH, "find container");
    client->is_session = client->attached = true;
    client->session = process;
    client->gives_input = gives_input;
    struct orc_state state = process_state(process);
    connection_send(client, FRAME_DONE, tag, &state, sizeof state);
}

void process_kill(struct process *process, int signal)
{
    if (process == NULL || process->reaped || process->life.fd < 0)
        return;
    pidfd_send_signal(process->life.fd, signal, NULL, 0);
}

void process_want(struct process *process)
{
    bool flowing = process->settled && !clients_are_full(process);
    process->report.events = POLLIN;
    process->life.events = process->met ? 0 : POLLIN;
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
    process_kill(process, SIGKILL);
    if (process->settled && process->pid > 1)
        kill(-process->pid, SIGKILL);
    for (int i = 0; i < 2; i++)
        stream_close(&process->output[i]);
    stream_close(&process->input);
}

struct orc_state process_state(const struct process *process)
{
    struct orc_state state = {.pid = (uint32_t)process->pid,
                              .ended = process->reaped,
                              .exit_code = (uint32_t)process->exit_code,
                              .signal = (uint32_t)process->signal,
                              .started_ms = process->started_ms,
                              .finished_ms = process->finished_ms};
    snprintf(state.name, sizeof state.name, "%s", process->name);
    return state;
}

void process_tell(const struct process *process, uint16_t type)
{
    struct orc_state state = process_state(process);
    size_t size = process->role == ROLE_RUN ? 0 : sizeof state;
    if (process->client != NULL)
        connection_send(process->client, type, process->tag, &state, size);
}

void process_set_failure(struct process *process, int error, const char *stage)
{
    process->failed = true;
    process->failure = failure_of(error, stage);
}

bool process_is_live(const struct process *process)
{
    return !process->dead && !process->reaped;
}

/* Never waits: in a cgroup that is being frozen, the helper may not get to its end for long. */
static void reap_helper(struct process *process)
{
    if (process->helper > 0 && waitpid(process->helper, NULL, WNOHANG) != 0)
        process->helper = 0;
}

/* What survives the shim: "code signal started finished pid", written whole or not at all. */
static void record_exit(const struct process *process)
{
    char text[128], temporary[ORC_MAX_NAME + 8];
    int length = snprintf(text, sizeof text, "%d %d %llu %llu %d\n", process->exit_code,
                          process->signal, (unsigned long long)process->started_ms,
                          (unsigned long long)process->finished_ms, process->pid);
    snprintf(temporary, sizeof temporary, ".%s.tmp", process->name);
    OWNED int fd = openat(shim.exits_dir, temporary,
                          O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool written = fd >= 0 && write(fd, text, (size_t)length) == length && fsync(fd) == 0;
    /* If not, `list` still has it; only the death of the shim as well loses it. */
    if (!written || renameat(shim.exits_dir, temporary, shim.exits_dir, process->name) < 0)
        unlinkat(shim.exits_dir, temporary, 0);
}

static void finish(struct process *process)
{
    if (!stream_drain(process))
        return;
    process->finished = true;
    stream_close(&process->input);
    struct orc_state state = process_state(process);
    clients_send(process, FRAME_EXITED, &state, sizeof state);
    clients_end(process);
    process->dead = process->role == ROLE_EXEC;
    if (process->dead)
        return;
    if (process->log != NULL) {
        log_close(process->log);
        process->log = NULL;
        record_exit(process);
    }
    connections_broadcast(FRAME_EXITED, &state, sizeof state);
}

/* The report socket is closed: by exec (or the end of a run), after a failure, or by a sudden
 * death. */
static void settle(struct process *process)
{
    bool run = process->role == ROLE_RUN;
    if (process->ready && !process->failed && (!run || process->reaped)) {
        process->settled = true;
        process->dead = run;
        process_tell(process, FRAME_DONE);
        if (process->role == ROLE_EXEC)
            stream_start(process);
        else
            process->client = NULL;
        return;
    }
    if (!process->reaped && !process->met)
        return;
    if (!process->failed)
        process_set_failure(process, ECANCELED, "died");
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

void process_advance(struct process *process)
{
    reap_helper(process);
    if (process->report.fd >= 0 || process->dead)
        return;
    if (!process->settled)
        settle(process);
    if (process->settled && process->reaped && !process->finished && !process->dead)
        finish(process);
}

void process_forget(struct process *process)
{
    if (process->leaves) /* nobody else is to hear of its end */
        waitpid(process->pid, NULL, WNOHANG);
    unlinkat(shim.exits_dir, process->name, 0);
    process->dead = true;
}

void process_free(struct process *process)
{
    clients_end(process);
    if (process->log != NULL)
        log_close(process->log);
    for (int i = 0; i < 2; i++)
        stream_close(&process->output[i]);
    stream_close(&process->input);
    stream_close(&process->report);
    stream_close(&process->life);
    free(process->pending);
    free(process->console);
    free(process->listener);
    free(process);
}

/* enter-container's helper has cloned the process proper and ends; from now on that one is
 * meant. */
static void adopt(struct process *process, pid_t pid)
{
    if (!process->reaped)
        process->helper = process->pid;
    reap_helper(process);
    stream_close(&process->life);
    process->pid = pid;
    process->reaped = false;
    process->life = (struct source){pidfd_open(pid, 0), 0, process_on_end, process};
    if (process->hung_up || shim.shutting_down)
        process_kill(process, SIGKILL);
}

/* A container of another runtime: what that one has started fell to the shim when it ended. */
static void adopt_orphan(struct process *process, pid_t pid)
{
    siginfo_t status;
    if (waitid(P_PID, (id_t)pid, &status, WEXITED | WNOHANG | WNOWAIT) == 0)
        adopt(process, pid);
    else
        process_set_failure(process, errno, "adopt");
}

static int connect_to(int fd, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    errno = ENAMETOOLONG;
    if (strlen(path) >= sizeof address.sun_path)
        return -1;
    memcpy(address.sun_path, path, strlen(path));
    return connect(fd, (const struct sockaddr *)&address, sizeof address);
}

static void take_terminal(struct process *process, int master)
{
    if (process->console != NULL && process->console[0] != '\0') {
        OWNED int terminal = master;
        OWNED int to = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect_to(to, process->console) == 0 && send_descriptor(to, "pty", 3, terminal))
            return;
        process_set_failure(process, errno, "console socket");
        return process_kill(process, SIGKILL);
    }
    struct termios settings;
    if (process->callers && tcgetattr(master, &settings) == 0) {
        settings.c_oflag &= ~(tcflag_t)ONLCR; /* the caller's own terminal sees to that */
        tcsetattr(master, TCSANOW, &settings);
    }
    int input = fcntl(master, F_DUPFD_CLOEXEC, SPACE_FD);
    process->output[0] = (struct source){master, 0, stream_output_ready, process};
    process->input = (struct source){input, 0, stream_input_ready, process};
}

static void hold_space(uint32_t space, int descriptor)
{
    if (space < SPACE_COUNT && dup3(descriptor, SPACE_FD + (int)space, O_CLOEXEC) >= 0)
        shim.spaces[space] = SPACE_FD + (int)space;
    descriptor_close(&descriptor);
}

void process_continue(struct process *process)
{
    process->asked = false;
    if (send(process->report.fd, "", 1, MSG_NOSIGNAL) < 0)
        process_kill(process, SIGKILL);
}

/* A start whose asker has gone is undone. */
static void ask_client(struct process *process)
{
    process->asked =
        process->role == ROLE_CONTAINER && process->client != NULL && !process->failed;
    if (!process->asked)
        return process_kill(process, SIGKILL);
    process_tell(process, FRAME_SYNC);
}

/* The process' pid stands where the message has a U+0001. */
static bool send_listener(const struct process *process, int filter)
{
    const char *path = process->listener, *message = path + strlen(path) + 1;
    char *text = NULL;
    size_t size = 0;
    /* Not waiting: the socket is somebody else's. */
    OWNED int to = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    FILE *out = open_memstream(&text, &size);
    for (; out != NULL && *message != '\0'; message++)
        fprintf(out, *message == 1 ? "%d" : "%c", *message == 1 ? process->pid : *message);
    bool sent = out != NULL && fclose(out) == 0 && filter >= 0 && to >= 0 &&
                connect_to(to, path) == 0 &&
                send_descriptor(to, text, size, filter);
    free(text);
    return sent;
}

static void give_listener(struct process *process, int number)
{
    OWNED int filter = (int)syscall(SYS_pidfd_getfd, process->life.fd, number, 0);
    if (send_listener(process, filter))
        return process_continue(process);
    process_set_failure(process, errno, "seccomp listener");
    process_kill(process, SIGKILL);
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
    else if (report.type == REPORT_READY) {
        process->ready = true;
        process->started_ms = now_ms(CLOCK_REALTIME);
    } else if (report.type == REPORT_FAILED) {
        process->failed = true;
        process->failure = report.failure;
    } else if (report.type == REPORT_SPACE) {
        hold_space((uint32_t)report.failure.index, descriptor);
    } else if (report.type == REPORT_SYNC) {
        ask_client(process);
    } else if (report.type == REPORT_LISTENER) {
        give_listener(process, report.failure.index);
    } else if (report.type == REPORT_ADOPT) {
        adopt_orphan(process, report.failure.index);
    }
    return true;
}

void process_on_report(struct source *source, short events)
{
    (void)events;
    while (source->fd >= 0 && take_report(source->owner))
        continue;
}

void process_on_end(struct source *source, short events)
{
    (void)events;
    struct process *process = source->owner;
    siginfo_t status = {0};
    int how = WEXITED | WNOHANG | (process->leaves ? WNOWAIT : 0);
    if (waitid(P_PID, (id_t)process->pid, &status, how) < 0 || status.si_pid == 0)
        return;
    process->reaped = true;
    process->finished_ms = now_ms(CLOCK_REALTIME);
    process->signal = status.si_code == CLD_EXITED ? 0 : status.si_status;
    process->exit_code = status.si_code == CLD_EXITED ? status.si_status : 128 + status.si_status;
    stream_close(source);
}
