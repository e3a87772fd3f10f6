/* Paths below the root that an image may have filled with anything: every step is resolved by
 * the kernel's openat2 with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, and everything is done by
 * descriptor. */
#ifndef ORC_PATHS_H
#define ORC_PATHS_H

#include "task.h"

/* Who owns what is created. */
struct owner {
    mode_t mode;
    uid_t uid;
    gid_t gid;
};

/* /proc/self/fd/N, the name that mount(2) and open(2) take for a descriptor. */
struct fd_path {
    char text[32];
};

struct fd_path fd_path(int fd);

/* A descriptor, or -1 and errno. */
int path_open(const struct task *task, bool in_root, const char *path, int flags);
/* The directory that holds the last component, which is put in `name`; "", "." and ".." as a
 * name are EINVAL. */
int path_parent(const struct task *task, bool in_root, const char *path, char name[NAME_MAX + 1]);
/* Gives what was just made its owner and its special bits. */
int path_own(int parent, const char *name, const struct owner *owner);
/* mkdir -p; O_PATH descriptor of the directory. What exists is left as it is. */
int path_make_dirs(const struct task *task, const char *path, const struct owner *owner);
/* The mount target: made if need be, as a directory or an empty file, owned by the owner of the
 * root. */
int path_make_target(const struct task *task, bool in_root, const char *path, bool directory);

/* copy-up.c: what one directory holds into another, empty one. -1 and errno. */
int copy_up(int from, int to);

#endif
