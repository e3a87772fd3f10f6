#ifndef ORC_DESCRIPTOR_H
#define ORC_DESCRIPTOR_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

/* `OWNED int fd`: closed where the name ends, with errno as it was. */
#define OWNED __attribute__((cleanup(descriptor_close)))

static inline void descriptor_close(const int *fd)
{
    int error = errno;
    if (*fd >= 0)
        close(*fd);
    errno = error;
}

/* False, with errno: not all of it could be written. */
static inline bool descriptor_write(int fd, const void *bytes, size_t size)
{
    for (const char *at = bytes; size > 0;) {
        ssize_t written = write(fd, at, size);
        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            at += written;
            size -= (size_t)written;
        }
    }
    return true;
}

#endif
