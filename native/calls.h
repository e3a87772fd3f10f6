/* System calls that Debian 12's C library has no function for. */
#ifndef ORC_CALLS_H
#define ORC_CALLS_H

#include <linux/sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

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
