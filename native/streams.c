#include "shim.h"

/* Bytes moved; 0: end of file; -1: nothing there now. */
static ssize_t pump(struct process *process, int stream)
{
    static uint8_t buffer[PUMP_SIZE];
    struct source *source = &process->output[stream];
    ssize_t got = read(source->fd, buffer, sizeof buffer);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return -1;
    if (got <= 0) { /* a terminal without users says EIO */
        stream_close(source);
        return 0;
    }
    if (process->callers && !descriptor_write(STDOUT_FILENO, buffer, (size_t)got))
        return stream_close(source), 0;
    if (process->log != NULL)
        log_write(process->log, stream, buffer, (size_t)got);
    clients_send(process, stream == 0 ? FRAME_OUTPUT : FRAME_ERRORS, buffer, (size_t)got);
    return got;
}

void stream_output_ready(struct source *source, short events)
{
    (void)events;
    struct process *process = source->owner;
    pump(process, source == &process->output[0] ? 0 : 1);
}

/* A terminal has no end of file; its reader sees one after the end-of-transmission character. */
static void end_input(struct process *process)
{
    if (!process->terminal)
        stream_close(&process->input);
    else if (process->input.fd >= 0 && write(process->input.fd, "\4", 1) < 0)
        return; /* nobody has read for long: its queue is full */
}

static void drop_pending(struct process *process)
{
    free(process->pending);
    process->pending = NULL;
    if (process->input_ended)
        end_input(process);
}

static void write_pending(struct process *process)
{
    if (process->input.fd < 0)
        return drop_pending(process);
    size_t left = process->pending_size - process->pending_at;
    ssize_t written = write(process->input.fd, process->pending + process->pending_at, left);
    if (written < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (written < 0) {
        stream_close(&process->input);
        return drop_pending(process);
    }
    process->pending_at += (size_t)written;
    if (process->pending_at == process->pending_size)
        drop_pending(process);
}

void stream_input_ready(struct source *source, short events)
{
    struct process *process = source->owner;
    if ((events & POLLOUT) != 0)
        write_pending(process);
    else
        stream_close(source); /* nobody reads any more */
    if (!stream_has_input(process))
        clients_resume(process);
}

void stream_give_input(struct process *process, const uint8_t *bytes, size_t size)
{
    if (process->input_ended || size == 0)
        return;
    process->pending = malloc(size);
    if (process->pending == NULL)
        return stream_close(&process->input);
    memcpy(process->pending, bytes, size);
    process->pending_at = 0;
    process->pending_size = size;
    if (process->settled)
        write_pending(process);
}

void stream_start(struct process *process)
{
    if (process->pending != NULL)
        write_pending(process);
    else if (process->input_ended)
        end_input(process);
    if (process->pending == NULL)
        clients_resume(process);
}

bool stream_has_input(const struct process *process)
{
    return process->pending != NULL;
}

void stream_end_input(struct process *process)
{
    if (process->input_ended)
        return;
    process->input_ended = true;
    if (process->settled && process->pending == NULL)
        end_input(process);
}

void stream_resize(struct process *process, uint16_t columns, uint16_t rows)
{
    struct winsize size = {.ws_col = columns, .ws_row = rows};
    if (process->terminal && process->output[0].fd >= 0)
        ioctl(process->output[0].fd, TIOCSWINSZ, &size);
}

bool stream_drain(struct process *process)
{
    for (int stream = 0; stream < 2; stream++) {
        struct source *source = &process->output[stream];
        while (source->fd >= 0) {
            if (clients_are_full(process))
                return false;
            ssize_t got = pump(process, stream);
            if (got > 0)
                process->drained += (size_t)got;
            if (got < 0 || process->drained > DRAIN_LIMIT)
                stream_close(source); /* empty, and only somebody outside could hold it open */
        }
    }
    return true;
}

void stream_close(struct source *source)
{
    if (source->fd >= 0)
        close(source->fd);
    source->fd = -1;
}
