/* The operation that carries one TCP connection into a network namespace: port-forward. */
#include "task.h"

enum { SOCKET = 3, FLOW_SIZE = 65536 };

/* One direction. Empty, it waits for its source; full, for its target. */
struct flow {
    int from, to;
    size_t at, used;
    bool ended;
    char bytes[FLOW_SIZE];
};

static struct pollfd next_event(const struct flow *flow)
{
    if (flow->used > 0)
        return (struct pollfd){.fd = flow->to, .events = POLLOUT};
    return (struct pollfd){.fd = flow->ended ? -1 : flow->from, .events = POLLIN};
}

static void carry(struct flow *flow)
{
    bool full = flow->used > 0;
    ssize_t moved = full ? write(flow->to, flow->bytes + flow->at, flow->used)
                         : read(flow->from, flow->bytes, sizeof flow->bytes);
    if (moved < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (moved <= 0)
        flow->ended = true;
    flow->at = full && moved > 0 ? flow->at + (size_t)moved : 0;
    flow->used = moved <= 0 ? 0 : full ? flow->used - (size_t)moved : (size_t)moved;
}

/* The other side's end is the end; ours is passed on. */
_Noreturn static void carry_both(void)
{
    static struct flow there = {.from = STDIN_FILENO, .to = SOCKET};
    static struct flow back = {.from = SOCKET, .to = STDOUT_FILENO};
    signal(SIGPIPE, SIG_IGN);
    fcntl(SOCKET, F_SETFL, O_NONBLOCK);
    fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);
    while (!back.ended) {
        struct pollfd fds[2] = {next_event(&there), next_event(&back)};
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[0].revents != 0)
            carry(&there);
        if (fds[0].revents != 0 && there.ended)
            shutdown(SOCKET, SHUT_WR);
        if (fds[1].revents != 0)
            carry(&back);
    }
    _exit(0);
}

/* Never returns once connected: standard input goes there, what comes from there is standard
 * output. */
bool op_dial(struct task *task, const struct orc_record *op)
{
    struct report ready = {.type = REPORT_READY};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)op->num[0]),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return task_fail(task, "socket");
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) < 0)
        return task_fail(task, "connect");
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (!task_send(task->report, &ready, -1))
        _exit(1);
    /* The shim's descriptors must not live on here; that of the reports was the answer's end. */
    if (dup2(fd, SOCKET) < 0 || close_range(SOCKET + 1, ~0U, 0) < 0)
        _exit(1);
    carry_both();
}
