/* orc-oci: the front of the OCI command line. What is to be done it hears from the planner, a
 * process of its user's in the same namespaces, which it starts if there is none. It runs from a
 * sealed copy of itself, as a shim does. */
#include "launch.h"
#include "programs.h"
#include "shim.h"

enum { TRIES = 3, PLANNER_MS = 30000 };

static struct connection *planner;
static volatile sig_atomic_t caught[NSIG];
static bool typed_ended;
static struct termios typed_before; /* of standard input, while a container's terminal is there */

_Noreturn static void fail(const char *what)
{
    fprintf(stderr, "orc-oci: %s: %s\n", what, strerror(errno));
    exit(1);
}

int oci_main(int argc, char **argv)
{
    static char self[PATH_MAX];
    char **again = calloc((size_t)argc + 2, sizeof *again);
    if (again == NULL || readlink("/proc/self/exe", self, sizeof self - 1) < 0)
        fail("finding itself");
    *strrchr(self, '/') = '\0';
    again[0] = (char *)(uintptr_t) "orc-front";
    again[1] = self;
    memcpy(again + 2, argv + 1, (size_t)(argc - 1) * sizeof *again);
    syscall(SYS_execveat, seal_program(), "", again, environ, AT_EMPTY_PATH);
    fail("sealing itself");
}

/* What the caller hands on gets out of the way of what has a number of its own here. */
static void put_aside(void)
{
    for (int fd = 3; fd < 3 + MAX_HANDED; fd++)
        if (dup3(fd, HANDED_FD + fd - 3, O_CLOEXEC) >= 0)
            close(fd);
}

/* The user's own directory. */
static const char *planner_directory(void)
{
    static char path[PATH_MAX];
    struct stat found;
    const char *own = getenv("XDG_RUNTIME_DIR");
    if (geteuid() == 0)
        snprintf(path, sizeof path, "/run/orc-oci-planner");
    else if (own != NULL && own[0] == '/')
        snprintf(path, sizeof path, "%s/orc-oci-planner", own);
    else
        snprintf(path, sizeof path, "/tmp/orc-oci-planner-%u", geteuid());
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        fail(path);
    errno = EPERM;
    if (lstat(path, &found) < 0 || !S_ISDIR(found.st_mode) || found.st_uid != geteuid() ||
        (found.st_mode & 077) != 0)
        fail(path);
    return path;
}

/* Another one for other namespaces, and for another version of orc. FNV-1a. */
static void planner_name(const char *program, char name[32])
{
    static const char *const spaces[] = {"mnt", "pid", "user", "net", "cgroup", "uts", "ipc"};
    uint64_t hash = 14695981039346656037U;
    char path[PATH_MAX];
    struct stat found;
    for (size_t i = 0; i <= LENGTH(spaces); i++) {
        bool last = i == LENGTH(spaces);
        snprintf(path, sizeof path, last ? "%s/planner" : "/proc/self/ns/%s",
                 last ? program : spaces[i]);
        if (stat(path, &found) < 0)
            continue;
        hash = (hash ^ found.st_ino ^ (last ? (uint64_t)found.st_mtime << 20 : 0)) * 1099511628211U;
    }
    snprintf(name, 32, "%016llx", (unsigned long long)hash);
}

/* Without Node's own options. */
static char **planner_environment(void)
{
    size_t count = 0;
    for (char **at = environ; *at != NULL; at++)
        count++;
    char **kept = calloc(count + 2, sizeof *kept);
    if (kept == NULL)
        fail("allocate");
    count = 0;
    for (char **at = environ; *at != NULL; at++)
        if (strncmp(*at, "NODE_", 5) != 0)
            kept[count++] = *at;
    if (geteuid() == 0 && access("/var/cache/orc", W_OK) == 0)
        kept[count] = (char *)(uintptr_t) "NODE_COMPILE_CACHE=/var/cache/orc";
    return kept;
}

static void start_planner(const char *program, int directory, char *name, int listener)
{
    char node[PATH_MAX], script[PATH_MAX];
    char *argv[] = {node, (char *)(uintptr_t) "--disable-warning=ExperimentalWarning",
                    (char *)(uintptr_t) "--max-semi-space-size=2", script, name, NULL};
    snprintf(node, sizeof node, "%s/node", program);
    snprintf(script, sizeof script, "%s/planner", program);
    char **environment = planner_environment();
    int log = openat(directory, "log",
                     O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    pid_t pid = fork();
    if (pid < 0)
        fail("fork");
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        if (fork() != 0)
            _exit(0);
        setsid();
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        if (dup2(shim.null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 ||
            fchdir(directory) < 0 || dup2(listener, 3) < 0 ||
            syscall(SYS_close_range, 4U, ~0U, 0) < 0)
            _exit(1);
        execve(node, argv, environment);
        _exit(127);
    }
    close(log);
}

/* It greets with a byte; one that is about to end doesn't. */
static int connect_planner(const char *directory, const char *name)
{
    char hello;
    OWNED int fd = connect_below(directory, name, SOCK_STREAM);
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    if (fd < 0 || poll(&wanted, 1, PLANNER_MS) != 1 || read(fd, &hello, 1) != 1)
        return -1;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static int find_planner(const char *program)
{
    char name[32];
    const char *path = planner_directory();
    planner_name(program, name);
    for (int i = 0; i < TRIES; i++) {
        int fd = connect_planner(path, name);
        if (fd >= 0)
            return fd;
        OWNED int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0 || flock(directory, LOCK_EX) < 0)
            fail(path);
        fd = connect_planner(path, name); /* another one may have been faster */
        if (fd >= 0)
            return fd;
        OWNED int listener = listen_below(directory, name, SOCK_STREAM);
        if (listener < 0)
            fail("listen");
        start_planner(program, directory, name, listener);
    }
    fprintf(stderr, "orc-oci: the planner doesn't start; %s/log may say why\n", path);
    exit(1);
}

static void call(int argc, char **argv)
{
    char *text = NULL, *here = getcwd(NULL, 0);
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        fail("allocate");
    fprintf(out, "%d%c%s%c%d%c", getpid(), 0, here == NULL ? "" : here, 0, argc, 0);
    for (int i = 0; i < argc; i++)
        fprintf(out, "%s%c", argv[i], 0);
    for (char **at = environ; *at != NULL; at++)
        fprintf(out, "%s%c", *at, 0);
    if (fclose(out) != 0)
        fail("allocate");
    connection_send(planner, FRAME_CALL, 0, text, size);
    free(text);
    free(here);
}

/* The container's, or the exec's: hooks are none. */
static struct process *own_process(void)
{
    for (struct process *p = shim.processes; p != NULL; p = p->next)
        if (p->callers && p->settled && !p->reaped)
            return p;
    return NULL;
}

void front_print(const struct list *list)
{
    const struct orc_record *record = &list->records[0];
    int to = record->num[0] == 2 ? STDERR_FILENO : STDOUT_FILENO;
    if (!descriptor_write(to, list_text(list, record, 0), record->text[0].length))
        front_finish(1);
}

/* To its end: nobody but the caller waits. */
void front_read(struct connection *connection, uint32_t tag, uint32_t number)
{
    static uint8_t bytes[OUTPUT_LIMIT / 2];
    size_t used = 0;
    ssize_t got = 0;
    int fd = number < 3 ? (int)number : HANDED_FD + (int)number - 3;
    while (used < sizeof bytes && (got = read(fd, bytes + used, sizeof bytes - used)) > 0)
        used += (size_t)got;
    if (got < 0 || used == sizeof bytes)
        return connection_refuse(connection, tag, got < 0 ? errno : EFBIG, "read");
    connection_send(connection, FRAME_DONE, tag, bytes, used);
}

_Noreturn void front_finish(int code)
{
    if (shim.typed.fd >= 0)
        tcsetattr(STDIN_FILENO, TCSANOW, &typed_before);
    exit(code);
}

static void take_typed(struct source *source, short events)
{
    static uint8_t bytes[PUMP_SIZE];
    struct process *process = own_process();
    (void)events;
    ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
    source->events = 0; /* until that is taken */
    typed_ended = got <= 0;
    if (process != NULL && got > 0)
        stream_give_input(process, bytes, (size_t)got);
    else if (process != NULL && got == 0)
        stream_end_input(process);
}

static void fit_terminal(struct process *process)
{
    struct winsize size;
    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
        stream_resize(process, size.ws_col, size.ws_row);
}

/* The caller's terminal becomes that of a process whose terminal goes nowhere else. */
static void relay_terminal(struct process *process)
{
    struct termios raw;
    if (shim.typed.fd < 0) {
        shim.typed = (struct source){.fd = STDIN_FILENO, .ready = take_typed, .events = POLLIN};
        if (tcgetattr(STDIN_FILENO, &typed_before) == 0) {
            raw = typed_before;
            cfmakeraw(&raw);
            raw.c_oflag |= OPOST; /* the lines end here, not in the container */
            tcsetattr(STDIN_FILENO, TCSANOW, &raw);
        }
        fit_terminal(process);
    }
    shim.typed.events = typed_ended || stream_has_input(process) ? 0 : POLLIN;
}

static void after_round(void)
{
    struct process *process = own_process();
    if (process != NULL && process->terminal && process->output[0].fd >= 0)
        relay_terminal(process);
    for (int number = 1; number < NSIG; number++) {
        if (caught[number] == 0)
            continue;
        caught[number] = 0;
        if (process == NULL && number != SIGWINCH)
            front_finish(128 + number);
        if (process != NULL && number == SIGWINCH && process->terminal)
            fit_terminal(process);
        else if (process != NULL)
            process_kill(process, number);
    }
    for (struct connection *c = shim.connections; c != NULL; c = c->next)
        if (c == planner)
            return;
    errno = ECONNRESET;
    fail("planner");
}

static void on_signal(int number)
{
    caught[number] = 1;
}

static void catch_signals(void)
{
    const unsigned int kept = 1U << SIGKILL | 1U << SIGSTOP | 1U << SIGCHLD | 1U << SIGPIPE |
                              1U << SIGTSTP | 1U << SIGTTIN | 1U << SIGTTOU | 1U << SIGCONT |
                              1U << SIGSEGV | 1U << SIGBUS | 1U << SIGFPE | 1U << SIGILL |
                              1U << SIGABRT | 1U << SIGTRAP | 1U << SIGSYS;
    for (int number = 1; number < 32; number++)
        if ((kept >> number & 1) == 0)
            signal(number, on_signal);
}

/* orc-front DIRECTORY WORD…: what `orc-oci WORD…` is from then on. */
int front_main(int argc, char **argv)
{
    if (argc < 2)
        return 64;
    put_aside();
    const char *failed = shim_begin("orc-oci");
    if (failed != NULL)
        fail(failed);
    shim.run_dir = shim.typed.fd = -1;
    catch_signals();
    planner = connection_open(find_planner(argv[1]));
    if (planner == NULL)
        fail("planner");
    call(argc - 2, argv + 2);
    shim_serve(after_round);
    return 1;
}
