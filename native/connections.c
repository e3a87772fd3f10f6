#include "shim.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SMALL_BUFFER = 4096 };

static void on_ready(struct source *source, short events);
static void read_more(struct connection *connection);
static void take_frames(struct connection *connection);
static bool is_full(const struct connection *connection);
static bool has_room_for_frames(const struct connection *connection);
static bool grow(uint8_t **buffer, size_t *size, size_t wanted);
static void flush(struct connection *connection);

void connection_accept(struct source *source, short events)
{
    (void)events;
    struct ucred peer;
    socklen_t size = sizeof peer;
    int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
        peer.uid != geteuid()) {
        free(connection);
        close(fd);
        return;
    }
    connection->source = (struct source){.fd = fd, .ready = on_ready, .owner = connection};
    connection->next = shim.connections;
    shim.connections = connection;
    connection_send(connection, FRAME_HELLO, 0, &shim.hello, sizeof shim.hello);
}

void connection_send(struct connection *connection, uint16_t type, uint32_t tag, const void *bytes,
                     size_t size)
{
    struct orc_frame frame = {.size = (uint32_t)size, .type = type, .tag = tag};
    size_t wanted = connection->out_used + sizeof frame + size;
    if (connection->dead)
        return;
    if (wanted > OUTPUT_LIMIT || !grow(&connection->out, &connection->out_size, wanted)) {
        connection_close(connection);
        return;
    }
    memcpy(connection->out + connection->out_used, &frame, sizeof frame);
    if (size > 0)
        memcpy(connection->out + connection->out_used + sizeof frame, bytes, size);
    connection->out_used = wanted;
    flush(connection);
}

void connection_fail(struct connection *connection, uint32_t tag,
                     const struct orc_failure *failure)
{
    connection_send(connection, FRAME_FAILED, tag, failure, sizeof *failure);
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
        }
    if (shim.shutdown == connection)
        shim.shutdown = NULL;
}

void connection_want(struct connection *connection)
{
    short events = connection->is_session ? POLLRDHUP : 0;
    if (has_room_for_frames(connection))
        events |= POLLIN;
    if (connection->out_used > 0)
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
    struct orc_failure failure = {.index = -1, .error = ENOBUFS, .stage = "the reader is too slow"};
    if (!connection->attached || connection->session == NULL || !is_full(connection)) {
        connection->full_since_ms = 0;
    } else if (connection->full_since_ms == 0) {
        connection->full_since_ms = now_ms(CLOCK_MONOTONIC);
    } else if (now_ms(CLOCK_MONOTONIC) > connection->full_since_ms + ATTACHED_PATIENCE_MS) {
        connection_fail(connection, 0, &failure);
        connection_end_session(connection);
    }
}

static bool is_full(const struct connection *connection)
{
    return connection->out_used >= (connection->attached ? ATTACHED_HIGH : OUTPUT_HIGH);
}

void connection_end_session(struct connection *connection)
{
    connection->session = NULL;
    connection->closing = true;
    flush(connection);
    if (!connection->dead && connection->out_used == 0)
        connection_close(connection);
}

/* The last words of the shim: blocking, because nothing else is left to serve. */
void connection_finish(struct connection *connection, uint32_t tag)
{
    connection_send(connection, FRAME_DONE, tag, NULL, 0);
    struct pollfd fd = {.fd = connection->source.fd, .events = POLLOUT};
    while (!connection->dead && connection->out_used > 0 && poll(&fd, 1, 1000) > 0)
        flush(connection);
}

void connection_free(struct connection *connection)
{
    free(connection->in);
    free(connection->out);
    free(connection);
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

static void read_more(struct connection *connection)
{
    struct orc_frame frame;
    size_t wanted = SMALL_BUFFER;
    if (connection->dead || !has_room_for_frames(connection))
        return;
    if (connection->in_used >= sizeof frame) {
        memcpy(&frame, connection->in, sizeof frame);
        wanted = sizeof frame + frame.size > wanted ? sizeof frame + frame.size : wanted;
    }
    if (!grow(&connection->in, &connection->in_size, wanted)) {
        connection_close(connection);
        return;
    }
    ssize_t got = recv(connection->source.fd, connection->in + connection->in_used,
                       connection->in_size - connection->in_used, 0);
    if (got > 0) {
        connection->in_used += (size_t)got;
        take_frames(connection);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        connection_close(connection);
    }
}

static void take_frames(struct connection *connection)
{
    struct orc_frame frame;
    while (!connection->dead && connection->in_used >= sizeof frame &&
           has_room_for_frames(connection)) {
        memcpy(&frame, connection->in, sizeof frame);
        if (frame.size > ORC_MAX_FRAME || frame.zero != 0 || frame.zero2 != 0) {
            connection_close(connection);
            return;
        }
        size_t whole = sizeof frame + frame.size;
        if (connection->in_used < whole)
            return;
        if (!request_handle(connection, &frame, connection->in + sizeof frame)) {
            connection_close(connection);
            return;
        }
        connection->in_used -= whole;
        memmove(connection->in, connection->in + whole, connection->in_used);
    }
    if (connection->in_used == 0 && connection->in_size > SMALL_BUFFER) {
        free(connection->in);
        connection->in = NULL;
        connection->in_size = 0;
    }
}

/* While a process doesn't take its input, its client is read no further; nor is one that doesn't
 * take its answers. */
static bool has_room_for_frames(const struct connection *connection)
{
    if (connection->session != NULL && stream_has_input(connection->session))
        return false;
    return connection->is_session || connection->out_used < OUTPUT_HIGH;
}

static bool grow(uint8_t **buffer, size_t *size, size_t wanted)
{
    if (*size >= wanted)
        return true;
    uint8_t *larger = realloc(*buffer, wanted);
    if (larger == NULL)
        return false;
    *buffer = larger;
    *size = wanted;
    return true;
}

static void flush(struct connection *connection)
{
    if (connection->dead || connection->out_used == 0)
        return;
    ssize_t sent = send(connection->source.fd, connection->out, connection->out_used,
                        MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        connection_close(connection);
        return;
    }
    if (sent > 0) {
        connection->out_used -= (size_t)sent;
        memmove(connection->out, connection->out + sent, connection->out_used);
    }
    if (connection->out_used > 0)
        return;
    if (connection->out_size > SMALL_BUFFER) {
        free(connection->out);
        connection->out = NULL;
        connection->out_size = 0;
    }
    if (connection->closing)
        connection_close(connection);
}
