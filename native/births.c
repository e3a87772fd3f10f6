/* The beginning of a process: what is made before the fork, the fork, the child's side. */
#include "shim.h"

/* The child's ends of everything, and what only the parent's side of the fork needs. */
struct birth {
    int child[3];
    int report;
    int cgroup;
};

static struct process *make_process(struct connection *client, uint32_t tag, uint16_t type,
                                    const struct list *list)
{
    const struct source none = {.fd = -1};
    int count = 0;
    bool container = type == FRAME_START || type == FRAME_MEET;
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
    process->callers = (list->records[0].flags & FLAG_CALLERS) != 0;
    process->leaves = process->callers && (list->records[0].flags & FLAG_PASSING) == 0;
    process->report = process->life = process->input = none;
    process->output[0] = process->output[1] = none;
    process->failure.index = -1;
    process->adopts = list->records[list->count - 1].kind == OP_ADOPT;
    if (type != FRAME_RUN)
        snprintf(process->name, sizeof process->name, "%s", list_text(list, &list->records[0], 0));
    return process;
}

/* Record 0 of START and of EXEC begins alike. NULL, or the stage that failed, with errno; as all
 * that prepares. */
static const char *prepare_place(struct process *process, struct birth *birth,
                                 const struct list *list)
{
    const struct orc_record *wanted = &list->records[0];
    const char *cgroup = list_text(list, wanted, 1), *path = list_text(list, wanted, 2);
    if (cgroup[0] != '\0')
        birth->cgroup = open(cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (cgroup[0] != '\0' && birth->cgroup < 0)
        return "open cgroup";
    process->listener = calloc(1, wanted->text[3].length + 2);
    if (process->listener == NULL)
        return "allocate";
    memcpy(process->listener, list_text(list, wanted, 3), wanted->text[3].length);
    if (process->role != ROLE_CONTAINER)
        return NULL;
    if (process->callers) {
        process->console = strdup(path);
        return process->console == NULL ? "allocate" : NULL;
    }
    process->log = log_open(path, wanted->wide[0], wanted->num[3]);
    return process->log == NULL ? "open log" : NULL;
}

static int make_pipe(struct process *process, struct source *source, int *child)
{
    bool is_input = source == &process->input;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    *child = ends[is_input ? 0 : 1];
    *source = (struct source){.fd = ends[is_input ? 1 : 0],
                              .ready = is_input ? stream_input_ready : stream_output_ready,
                              .owner = process};
    return fcntl(source->fd, F_SETFL, O_NONBLOCK);
}

/* At its end, and of its own: crun gives a container's user what it finds as standard input, also
 * the host's null device. */
static int make_empty(int *child)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    *child = ends[0];
    return close(ends[1]);
}

/* A program that isn't root opens /dev/stdout anew: the pipe must be its own. Devices and files of
 * others stay theirs. */
static void own(const struct birth *birth, uint32_t owner)
{
    struct stat found;
    for (int i = 0; i < 3; i++)
        if (birth->child[i] >= 0 && fstat(birth->child[i], &found) == 0 &&
            S_ISFIFO(found.st_mode) && fchown(birth->child[i], owner, (gid_t)-1) < 0)
            continue;
}

static const char *prepare_streams(struct process *process, struct birth *birth,
                                   const struct orc_record *wanted)
{
    process->terminal = (wanted->flags & FLAG_TERMINAL) != 0;
    process->input_once = (wanted->flags & FLAG_INPUT_ONCE) != 0;
    if (process->terminal) /* it comes from inside the container */
        return NULL;
    for (int fd = 0; process->callers && fd < 3; fd++)
        birth->child[fd] = fcntl(fd, F_DUPFD_CLOEXEC, HANDED_FD);
    if (process->callers)
        return own(birth, wanted->num[0]), NULL;
    bool input = (wanted->flags & FLAG_INPUT) != 0;
    if ((input && make_pipe(process, &process->input, &birth->child[0]) < 0) ||
        (!input && process->adopts && make_empty(&birth->child[0]) < 0))
        return "pipe";
    for (int i = 0; i < 2; i++)
        if (make_pipe(process, &process->output[i], &birth->child[i + 1]) < 0)
            return "pipe";
    own(birth, wanted->num[0]);
    return NULL;
}

static const char *prepare(struct process *process, struct birth *birth, const struct list *list)
{
    int pair[2], yes = 1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return "socketpair";
    birth->report = pair[1];
    process->report = (struct source){.fd = pair[0], .ready = process_on_report, .owner = process};
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes);
    if (process->role == ROLE_RUN)
        return NULL;
    const char *failed = prepare_place(process, birth, list);
    return failed != NULL ? failed : prepare_streams(process, birth, &list->records[0]);
}

static int find_container(const char *name)
{
    const struct process *process = process_find(name);
    bool there = process != NULL && (process->settled || process->asked) && !process->reaped;
    return there ? process->life.fd : -1;
}

_Noreturn static void live(const struct process *process, const struct birth *birth,
                           struct list *list)
{
    const struct orc_record *wanted = &list->records[0];
    struct task task = {
        .list = list,
        .root = -1,
        .gate = -1,
        .report = birth->report,
        .stays = process->leaves,
        .find_container = find_container,
    };
    struct winsize own = {0};
    bool shares = process->callers && process->console != NULL && process->console[0] == '\0' &&
                  ioctl(STDIN_FILENO, TIOCGWINSZ, &own) == 0 && own.ws_col > 0;
    for (int fd = 0; fd < 3; fd++)
        if (dup2(birth->child[fd] >= 0 ? birth->child[fd] : shim.null, fd) < 0)
            _exit(1);
    memcpy(task.spaces, shim.spaces, sizeof task.spaces);
    if (process->role != ROLE_RUN) {
        task.terminal_owner = wanted->num[0];
        task.columns = (uint16_t)wanted->num[1];
        task.rows = (uint16_t)wanted->num[2];
        if (shares) { /* its terminal becomes the caller's */
            task.columns = own.ws_col;
            task.rows = own.ws_row;
        }
        task.handed_on = process->callers ? wanted->num[3] : 0;
    }
    task_run(&task);
}

static const char *give_birth(struct process *process, struct birth *birth, struct list *list)
{
    int pidfd = -1;
    uint64_t flags = process->role == ROLE_CONTAINER ? list->records[0].num[4] : 0;
    pid_t pid = call_clone(flags, SIGCHLD, &pidfd, birth->cgroup);
    if (pid == 0)
        live(process, birth, list);
    if (pid < 0)
        return "clone";
    process->pid = pid;
    process->life = (struct source){.fd = pidfd, .ready = process_on_end, .owner = process};
    return NULL;
}

void process_start(struct connection *client, uint32_t tag, uint16_t type, struct list *list)
{
    struct birth birth = {.child = {-1, -1, -1}, .report = -1, .cgroup = -1};
    struct process *process = make_process(client, tag, type, list);
    if (process == NULL)
        return connection_refuse(client, tag, errno, "admit");
    if (process->role == ROLE_EXEC) {
        client->is_session = true;
        client->session = process;
        client->gives_input = true;
    }
    const char *failed = prepare(process, &birth, list);
    if (failed == NULL)
        failed = give_birth(process, &birth, list);
    if (failed != NULL) {
        process_set_failure(process, errno, failed);
        process->reaped = true;
        stream_close(&process->report);
    }
    for (int i = 0; i < 3; i++)
        descriptor_close(&birth.child[i]);
    descriptor_close(&birth.report);
    descriptor_close(&birth.cgroup);
    process->next = shim.processes;
    shim.processes = process;
}

/* Of a container that another front has made: where it waits, or only where it is. */
void process_meet(struct connection *client, uint32_t tag, const struct list *list)
{
    const struct orc_record *wanted = &list->records[0];
    const char *gate = list_text(list, wanted, 1);
    struct process *process = make_process(client, tag, FRAME_MEET, list);
    if (process == NULL)
        return connection_refuse(client, tag, errno, "admit");
    process->met = true;
    process->pid = (pid_t)wanted->num[0];
    process->next = shim.processes;
    shim.processes = process;
    process->life = (struct source){.fd = pidfd_open(process->pid, 0)};
    if (process->life.fd >= 0 && gate[0] == '\0') {
        process->settled = true;
        return process_tell(process, FRAME_DONE);
    }
    int fd = process->life.fd < 0 ? -1 : connect_below(gate, "gate", SOCK_SEQPACKET);
    if (fd < 0)
        process_set_failure(process, errno, process->life.fd < 0 ? "find container" : "connect");
    process->report = (struct source){.fd = fd, .ready = process_on_report, .owner = process};
}
