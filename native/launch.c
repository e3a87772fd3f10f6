/* orc-launch: starts shims for an agent whose own fork would be slow. Requests on descriptor 0,
 * answers on 1; ends with its input. The shims run from a sealed copy of this program, so that
 * no container can ever write to the file on disk through /proc/PID/exe (CVE-2019-5736). */
#include "launch.h"
#include "list.h"
#include "programs.h"

enum { MAX_STARTS = 256, LAUNCH_BUFFER = 1 << 20 };

/* A shim that was started and hasn't reported yet. */
struct start {
    int fd;
    uint32_t tag;
};

static struct start starts[MAX_STARTS];
static nfds_t start_count;
static int program; /* the sealed copy */
static _Alignas(16) uint8_t input[LAUNCH_BUFFER];
static size_t input_used;

int seal_program(void)
{
    struct stat size;
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int to = memfd_create("orc-native", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (from < 0 || to < 0 || fstat(from, &size) < 0)
        return -1;
    for (off_t at = 0; at < size.st_size;)
        if (sendfile(to, from, &at, (size_t)(size.st_size - at)) <= 0)
            return -1;
    close(from);
    int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    return fcntl(to, F_ADD_SEALS, seals) < 0 ? -1 : to;
}

static void answer(uint16_t type, uint32_t tag, const void *bytes, size_t size)
{
    struct orc_frame frame = {.size = (uint32_t)size, .type = type, .tag = tag};
    if (!descriptor_write(1, &frame, sizeof frame) || !descriptor_write(1, bytes, size))
        exit(1);
}

static void answer_failure(uint32_t tag, int error, const char *stage)
{
    struct orc_failure failure = failure_of(error, stage);
    answer(FRAME_FAILED, tag, &failure, sizeof failure);
}

static void take_ready(nfds_t at)
{
    struct shim_ready ready;
    struct start start = starts[at];
    ssize_t got = read(start.fd, &ready, sizeof ready);
    close(start.fd);
    starts[at] = starts[--start_count];
    if (got != sizeof ready)
        answer_failure(start.tag, ECHILD, "shim");
    else if (ready.failure.error != 0)
        answer(FRAME_FAILED, start.tag, &ready.failure, sizeof ready.failure);
    else
        answer(FRAME_LAUNCHED, start.tag, &ready.hello, sizeof ready.hello);
}

/* False: end of input. */
static bool read_input(void)
{
    ssize_t got = read(0, input + input_used, sizeof input - input_used);
    if (got > 0)
        input_used += (size_t)got;
    return got > 0 || (got < 0 && errno == EINTR);
}

_Noreturn static void give_up(const char *stage)
{
    struct shim_ready failed = {.failure = failure_of(errno, stage)};
    _exit(write(SHIM_READY_FD, &failed, sizeof failed) < 0 ? 2 : 1);
}

_Noreturn static void become_shim(const struct list *list, int ready)
{
    const struct orc_record *wanted = &list->records[0];
    const char *cgroup = list_text(list, wanted, 1);
    char *run_dir = (char *)(uintptr_t)list_text(list, wanted, 0);
    char *argv[] = {(char *)(uintptr_t) "orc-shim", run_dir, NULL};
    char *envp[] = {(char *)(uintptr_t) "TZ=UTC0", NULL}; /* no time zone file is read */
    int null = open("/dev/null", O_RDWR);
    if (dup2(ready, SHIM_READY_FD) < 0 || dup2(program, SHIM_READY_FD + 1) < 0 || null < 0)
        _exit(1);
    for (int fd = 0; fd < SHIM_READY_FD; fd++)
        dup2(null, fd);
    syscall(SYS_close_range, SHIM_READY_FD + 2, ~0U, 0);
    fcntl(SHIM_READY_FD + 1, F_SETFD, FD_CLOEXEC);
    if (setsid() < 0)
        give_up("setsid");
    for (uint32_t i = 0; i < wanted->num[0]; i++, cgroup += strlen(cgroup) + 1) {
        int fd = open(cgroup, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "0", 1) != 1)
            give_up("join cgroup");
        close(fd);
    }
    syscall(SYS_execveat, SHIM_READY_FD + 1, "", argv, envp, AT_EMPTY_PATH);
    give_up("exec shim");
}

static void launch(uint32_t tag, const struct list *list)
{
    const char *birthplace = list_text(list, &list->records[0], 2);
    OWNED int group = *birthplace == '\0' ? -1 : open(birthplace, O_PATH | O_CLOEXEC);
    int ready[2];
    if (*birthplace != '\0' && group < 0)
        return answer_failure(tag, errno, "join cgroup");
    if (pipe2(ready, O_CLOEXEC) < 0)
        return answer_failure(tag, errno, "pipe");
    pid_t pid = call_clone(0, SIGCHLD, NULL, group);
    if (pid == 0)
        become_shim(list, ready[1]);
    int error = errno;
    close(ready[1]);
    if (pid > 0) {
        starts[start_count++] = (struct start){.fd = ready[0], .tag = tag};
        return;
    }
    close(ready[0]);
    answer_failure(tag, error, "fork");
}

static bool handle(const struct orc_frame *frame, const uint8_t *payload)
{
    struct list list;
    if (frame->type == FRAME_LIST) /* it has nothing to list: asked, it shows that it lives */
        return answer(FRAME_DONE, frame->tag, NULL, 0), true;
    if (frame->type != FRAME_LAUNCH)
        return false;
    int error = list_decode(&list, frame->type, payload, frame->size);
    if (error < 0)
        answer_failure(frame->tag, -error, "decode");
    else
        launch(frame->tag, &list);
    list_free(&list);
    return true;
}

/* False: nonsense in the input. */
static bool take_requests(void)
{
    struct orc_frame frame;
    while (input_used >= sizeof frame && start_count < MAX_STARTS) {
        memcpy(&frame, input, sizeof frame);
        if (frame.size > sizeof input - sizeof frame)
            return false;
        size_t whole = sizeof frame + frame.size;
        if (input_used < whole)
            break;
        if (!handle(&frame, input + sizeof frame))
            return false;
        input_used -= whole;
        memmove(input, input + whole, input_used);
    }
    return true;
}

int launch_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct pollfd fds[MAX_STARTS + 1];
    signal(SIGCHLD, SIG_IGN); /* no zombies */
    signal(SIGPIPE, SIG_IGN);
    program = seal_program();
    if (program < 0)
        return 1;
    for (;;) {
        fds[0] = (struct pollfd){.fd = 0, .events = start_count < MAX_STARTS ? POLLIN : 0};
        nfds_t polled = start_count;
        for (nfds_t i = 0; i < polled; i++)
            fds[i + 1] = (struct pollfd){.fd = starts[i].fd, .events = POLLIN};
        if (poll(fds, polled + 1, -1) < 0 && errno != EINTR)
            return 1;
        for (nfds_t i = polled; i > 0; i--)
            if (fds[i].revents != 0)
                take_ready(i - 1);
        if ((fds[0].revents != 0 && !read_input()) || !take_requests())
            return 0;
    }
}
