/* `OWNED int fd`: closed where the name ends, with errno as it was. */
#ifndef ORC_DESCRIPTOR_H
#define ORC_DESCRIPTOR_H

#include <errno.h>
#include <unistd.h>

#define OWNED __attribute__((cleanup(descriptor_close)))

static inline void descriptor_close(const int *fd)
{
    int error = errno;
    if (*fd >= 0)
        close(*fd);
    errno = error;
}

#endif
