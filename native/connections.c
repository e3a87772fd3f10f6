#include "shim.h"

enum { SMALL_BUFFER = 4096 };

/* A large one that is empty is given back. */
static void drop_front(struct buffer *buffer, size_t size)
{
    buffer->used -= size;
    memmove(buffer->bytes, buffer->bytes + size, buffer->used);
    if (buffer->used == 0 && buffer->size > SMALL_BUFFER) {
        free(buffer->bytes);
        *buffer = (struct buffer){0};
    }
}

/* The client hangs up then. What it still sends is read until it does: to a closed socket it would
 * fail, and our last words would be lost with it. */
static void end_output(struct connection *connection)
{
    if (shutdown(connection->source.fd, SHUT_WR) < 0)
        connection_close(connection);
}

static void flush(struct connection *connection)
{
    struct buffer *out = &connection->out;
    if (connection->dead || out->used == 0)
        return;
    ssize_t sent = send(connection->source.fd, out->bytes, out->used, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        return connection_close(connection);
    if (sent > 0)
        drop_front(out, (size_t)sent);
    if (out->used == 0 && connection->closing)
        end_output(connection);
}

/* While a process doesn't take its input, its client is read no further; nor is one that doesn't
 * take its answers. */
static bool has_room_for_frames(const struct connection *connection)
{
    if (connection->session != NULL && stream_has_input(connection->session))
        return false;
    return connection->is_session || connection->out.used < OUTPUT_HIGH;
}

static void take_frames(struct connection *connection)
{
    struct buffer *in = &connection->in;
    struct orc_frame frame;
    while (!connection->dead && in->used >= sizeof frame && has_room_for_frames(connection)) {
        memcpy(&frame, in->bytes, sizeof frame);
        if (frame.size > ORC_MAX_FRAME || frame.zero != 0 || frame.zero2 != 0)
            return connection_close(connection);
        size_t whole = sizeof frame + frame.size;
        if (in->used < whole)
            return;
        if (!request_handle(connection, &frame, in->bytes + sizeof frame))
            return connection_close(connection);
        drop_front(in, whole);
    }
}

static bool grow(struct buffer *buffer, size_t wanted)
{
    if (buffer->size >= wanted)
        return true;
    uint8_t *larger = realloc(buffer->bytes, wanted);
    if (larger == NULL)
        return false;
    buffer->bytes = larger;
    buffer->size = wanted;
    return true;
}

static void read_more(struct connection *connection)
{
    struct buffer *in = &connection->in;
    struct orc_frame frame;
    size_t wanted = SMALL_BUFFER;
    if (connection->dead || !has_room_for_frames(connection))
        return;
    if (in->used >= sizeof frame) {
        memcpy(&frame, in->bytes, sizeof frame);
        wanted = sizeof frame + frame.size > wanted ? sizeof frame + frame.size : wanted;
    }
    if (!grow(in, wanted))
        return connection_close(connection);
    ssize_t got = recv(connection->source.fd, in->bytes + in->used, in->size - in->used, 0);
    if (got > 0) {
        in->used += (size_t)got;
        take_frames(connection);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        connection_close(connection);
    }
}

static void on_ready(struct source *source, short events)
{
    struct connection *connection = source->owner;
    if ((events & POLLOUT) != 0) {
        flush(connection);
        take_frames(connection); /* there may be room again for what was read already */
    }
    if ((events & POLLIN) != 0)
        read_more(connection);
    if (!connection->dead && (events & (POLLRDHUP | POLLHUP | POLLERR)) != 0 &&
        (connection->is_session || (events & POLLIN) == 0))
        connection_close(connection);
}

void connection_accept(struct source *source, short events)
{
    (void)events;
    int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 && connection_open(fd) == NULL)
        close(fd);
}

struct connection *connection_open(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid != geteuid())
        return NULL;
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return NULL;
    connection->source = (struct source){.fd = fd, .ready = on_ready, .owner = connection};
    connection->next = shim.connections;
    shim.connections = connection;
    connection_send(connection, FRAME_HELLO, 0, &shim.hello, sizeof shim.hello);
    return connection;
}

void connection_send(struct connection *connection, uint16_t type, uint32_t tag, const void *bytes,
                     size_t size)
{
    struct orc_frame frame = {.size = (uint32_t)size, .type = type, .tag = tag};
    size_t wanted = connection->out.used + sizeof frame + size;
    if (connection->dead)
        return;
    if (wanted > OUTPUT_LIMIT || !grow(&connection->out, wanted))
        return connection_close(connection);
    memcpy(connection->out.bytes + connection->out.used, &frame, sizeof frame);
    if (size > 0)
        memcpy(connection->out.bytes + connection->out.used + sizeof frame, bytes, size);
    connection->out.used = wanted;
    flush(connection);
}

void connection_fail(struct connection *connection, uint32_t tag,
                     const struct orc_failure *failure)
{
    connection_send(connection, FRAME_FAILED, tag, failure, sizeof *failure);
}

void connection_refuse(struct connection *connection, uint32_t tag, int error, const char *stage)
{
    struct orc_failure failure = failure_of(error, stage);
    connection_fail(connection, tag, &failure);
}

void connection_close(struct connection *connection)
{
    if (connection->dead)
        return;
    connection->dead = true;
    close(connection->source.fd);
    connection->source.fd = -1;
    if (connection->attached && connection->session != NULL && connection->gives_input &&
        connection->session->input_once)
        stream_end_input(connection->session);
    connection->session = NULL;
    for (struct process *p = shim.processes; p != NULL; p = p->next)
        if (p->client == connection) {
            p->client = NULL;
            if (p->role == ROLE_EXEC)
                process_hang_up(p);
            else if (p->asked)
                process_kill(p, SIGKILL);
        }
    if (shim.shutdown == connection)
        shim.shutdown = NULL;
}

void connection_want(struct connection *connection)
{
    short events = connection->is_session ? POLLRDHUP : 0;
    if (has_room_for_frames(connection))
        events |= POLLIN;
    if (connection->out.used > 0)
        events |= POLLOUT;
    connection->source.events = events;
}

void connections_broadcast(uint16_t type, const void *bytes, size_t size)
{
    for (struct connection *c = shim.connections; c != NULL; c = c->next)
        if (!c->is_session)
            connection_send(c, type, 0, bytes, size);
}

void clients_send(const struct process *process, uint16_t type, const void *bytes, size_t size)
{
    for (struct connection *c = shim.connections; c != NULL; c = c->next)
        if (c->session == process)
            connection_send(c, type, 0, bytes, size);
}

void clients_resume(const struct process *process)
{
    for (struct connection *c = shim.connections; c != NULL; c = c->next)
        if (c->session == process)
            take_frames(c);
}

void clients_end(const struct process *process)
{
    for (struct connection *c = shim.connections; c != NULL; c = c->next)
        if (c->session == process)
            connection_end_session(c);
}

static bool is_full(const struct connection *connection)
{
    return connection->out.used >= (connection->attached ? ATTACHED_HIGH : OUTPUT_HIGH);
}

bool clients_are_full(const struct process *process)
{
    for (struct connection *c = shim.connections; c != NULL; c = c->next)
        if (c->session == process && is_full(c))
            return true;
    return false;
}

/* It gets what is pending, and the reason. */
void connection_drop_slow(struct connection *connection)
{
    if (!connection->attached || connection->session == NULL || !is_full(connection)) {
        connection->full_since_ms = 0;
    } else if (connection->full_since_ms == 0) {
        connection->full_since_ms = now_ms(CLOCK_MONOTONIC);
    } else if (now_ms(CLOCK_MONOTONIC) > connection->full_since_ms + ATTACHED_PATIENCE_MS) {
        connection_refuse(connection, 0, ENOBUFS, "the reader is too slow");
        connection_end_session(connection);
    }
}

void connection_end_session(struct connection *connection)
{
    connection->session = NULL;
    connection->closing = true;
    if (!connection->dead && connection->out.used == 0)
        end_output(connection);
    flush(connection);
}

/* The last words of the shim: blocking, because nothing else is left to serve. */
void connection_finish(struct connection *connection, uint32_t tag)
{
    connection_send(connection, FRAME_DONE, tag, NULL, 0);
    struct pollfd fd = {.fd = connection->source.fd, .events = POLLOUT};
    while (!connection->dead && connection->out.used > 0 && poll(&fd, 1, 1000) > 0)
        flush(connection);
}

void connection_free(struct connection *connection)
{
    free(connection->in.bytes);
    free(connection->out.bytes);
    free(connection);
}
