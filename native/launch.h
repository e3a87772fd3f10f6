/* Between orc-launch and the shim it has started. */
#ifndef ORC_LAUNCH_H
#define ORC_LAUNCH_H

#include "orc.h"

enum { SHIM_READY_FD = 3 };

/* Written once to SHIM_READY_FD by the shim: failure.error is 0 when its socket listens. */
struct shim_ready {
    struct orc_failure failure;
    struct orc_hello hello;
};

/* This program, in memory: no container can write to it. -1 and errno. */
int seal_program(void);

#endif
