/* What all files use of the C library and the kernel; and what Debian 12's has not. */
#ifndef ORC_SYSTEM_H
#define ORC_SYSTEM_H

#include "descriptor.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#define sched_param linux_sched_param /* sched.h has its own */
#include <linux/sched/types.h>
#undef sched_param
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* clone3 without a new stack, so like fork. `cgroup`: a cgroup v2 directory to be born in or -1. */
static inline pid_t call_clone(uint64_t flags, int exit_signal, int *pidfd, int cgroup)
{
    struct clone_args arguments = {
        .flags = flags | (pidfd != NULL ? CLONE_PIDFD : 0) |
                 (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
        .pidfd = (uintptr_t)pidfd,
        .exit_signal = (unsigned int)exit_signal,
        .cgroup = cgroup >= 0 ? (unsigned int)cgroup : 0,
    };
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

#endif
