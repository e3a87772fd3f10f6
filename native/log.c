/* The container's output in CRI's log format: "2026-01-02T03:04:05.678901234Z stdout F text\n";
 * a line longer than a buffer is cut into pieces marked P, the last one F. */
#include "shim.h"

enum { HEAD_SIZE = 40, LINE_SIZE = 16384 };

struct line {
    size_t used;
    bool continued; /* pieces of this line are written already */
    char bytes[HEAD_SIZE + LINE_SIZE + 1]; /* as it will stand in the file */
};

struct log {
    int fd;
    uint64_t size, max_bytes;
    uint32_t max_files;
    char path[PATH_MAX];
    struct line lines[2];
};

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0640);
}

struct log *log_open(const char *path, uint64_t max_bytes, uint32_t max_files)
{
    struct stat found;
    struct log *log = malloc(sizeof *log);
    if (log == NULL)
        return NULL;
    log->fd = open_file(path);
    if (log->fd < 0 || fstat(log->fd, &found) < 0) {
        descriptor_close(&log->fd); /* both leave errno alone */
        free(log);
        return NULL;
    }
    log->size = (uint64_t)found.st_size;
    log->max_bytes = max_bytes;
    log->max_files = max_files;
    for (int i = 0; i < 2; i++)
        log->lines[i].used = log->lines[i].continued = 0;
    snprintf(log->path, sizeof log->path, "%s", path);
    return log;
}

static void format_head(char *head, int stream, bool full)
{
    static time_t last = -1; /* the date is formatted once a second */
    static char date[32];
    char text[2 * HEAD_SIZE]; /* more than it takes, for the compiler */
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != last)
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &utc));
    last = now.tv_sec;
    snprintf(text, sizeof text, "%s.%09ldZ %s %c ", date, now.tv_nsec,
             stream == 0 ? "stdout" : "stderr", full ? 'F' : 'P');
    memcpy(head, text, HEAD_SIZE);
}

/* A full disk loses lines, never blocks or ends a container. */
static void write_line(struct log *log, int stream, bool full)
{
    struct line *line = &log->lines[stream];
    format_head(line->bytes, stream, full);
    line->bytes[HEAD_SIZE + line->used] = '\n';
    ssize_t written = write(log->fd, line->bytes, HEAD_SIZE + line->used + 1);
    log->size += written < 0 ? 0 : (uint64_t)written;
    line->used = 0;
    line->continued = !full;
}

/* Between lines; a line that never ends is cut at twice the size. */
static void rotate_if_due(struct log *log)
{
    char from[PATH_MAX + 16], to[PATH_MAX + 16];
    bool between = !log->lines[0].continued && !log->lines[1].continued;
    if (log->max_bytes == 0 || log->size < log->max_bytes ||
        (!between && log->size < 2 * log->max_bytes))
        return;
    for (uint32_t n = log->max_files > 0 ? log->max_files - 1 : 0; n > 0; n--) {
        snprintf(to, sizeof to, "%s.%u", log->path, n);
        if (n == 1)
            snprintf(from, sizeof from, "%s", log->path);
        else
            snprintf(from, sizeof from, "%s.%u", log->path, n - 1);
        rename(from, to);
    }
    if (log->max_files <= 1 && truncate(log->path, 0) < 0)
        return;
    int fd = open_file(log->path);
    if (fd < 0)
        return;
    close(log->fd);
    log->fd = fd;
    log->size = 0;
}

static void take(struct log *log, int stream, const uint8_t *bytes, size_t size)
{
    struct line *line = &log->lines[stream];
    while (size > 0) {
        size_t part = LINE_SIZE - line->used < size ? LINE_SIZE - line->used : size;
        if (part == 0) {
            write_line(log, stream, false);
            rotate_if_due(log);
            continue;
        }
        memcpy(line->bytes + HEAD_SIZE + line->used, bytes, part);
        line->used += part;
        bytes += part;
        size -= part;
    }
}

void log_write(struct log *log, int stream, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        const uint8_t *end = memchr(bytes, '\n', size);
        size_t length = end == NULL ? size : (size_t)(end - bytes);
        take(log, stream, bytes, length);
        if (end != NULL) {
            write_line(log, stream, true);
            rotate_if_due(log);
            length++;
        }
        bytes += length;
        size -= length;
    }
}

void log_close(struct log *log)
{
    for (int stream = 0; stream < 2; stream++)
        if (log->lines[stream].used > 0 || log->lines[stream].continued)
            write_line(log, stream, true);
    close(log->fd);
    free(log);
}

void log_abandon(struct log *log)
{
    if (log->size == 0)
        unlink(log->path);
    close(log->fd);
    free(log);
}
