/* Operations on mounts. Targets are descriptors: what was checked is what is mounted on. */
#include "descriptor.h"
#include "paths.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif

static_assert(MOUNT_RO == (int)MS_RDONLY && MOUNT_RO == MOUNT_ATTR_RDONLY);
static_assert(MOUNT_NOSUID == (int)MS_NOSUID && MOUNT_NOSUID == MOUNT_ATTR_NOSUID);
static_assert(MOUNT_NODEV == (int)MS_NODEV && MOUNT_NODEV == MOUNT_ATTR_NODEV);
static_assert(MOUNT_NOEXEC == (int)MS_NOEXEC && MOUNT_NOEXEC == MOUNT_ATTR_NOEXEC);

/* The last component must not be a link: an image whose /proc is one would get its files in a
 * place of its choice. */
static int open_mount_target(struct task *task, const struct orc_record *op)
{
    struct stat found;
    bool in_root = (op->flags & FLAG_IN_ROOT) != 0;
    const char *path = list_text(task->list, op, 1);
    int target = path_open(task, in_root, path, O_PATH | O_NOFOLLOW);
    if (target < 0 && errno == ENOENT && (op->flags & FLAG_CREATE) != 0)
        target = path_make_target(task, in_root, path, true);
    if (target < 0 || fstat(target, &found) < 0)
        return task_fail(task, "open target");
    if (!S_ISLNK(found.st_mode))
        return target;
    close(target);
    errno = ELOOP;
    return task_fail(task, "open target");
}

int op_mount(struct task *task, const struct orc_record *op)
{
    OWNED int target = open_mount_target(task, op);
    if (target < 0)
        return target;
    int error = mount(list_text(task->list, op, 0), fd_path(target).text,
                      list_text(task->list, op, 2), op->num[0], list_text(task->list, op, 3));
    return error < 0 ? task_fail(task, "mount") : 0;
}

/* A volume's directory is to its sub paths what the root is to other paths. */
static int open_below(const char *below, const char *path)
{
    OWNED int root = open(below, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct task volume = {.root = root};
    return root < 0 ? -1 : path_make_target(&volume, true, path, true);
}

static int clone_tree(struct task *task, int source, unsigned int flags)
{
    int tree = open_tree(source, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | flags);
    return tree < 0 ? task_fail(task, "open_tree") : tree;
}

static int clone_source(struct task *task, const struct orc_record *op)
{
    const char *path = list_text(task->list, op, 0);
    OWNED int source = op->text[2].length > 0
                           ? open_below(list_text(task->list, op, 2), path)
                           : path_open(task, false, path, O_PATH);
    return source < 0 ? task_fail(task, "open source") : clone_tree(task, source, 0);
}

static int set_attributes(struct task *task, const struct orc_record *op, int tree)
{
    struct mount_attr attributes = {.attr_set = op->num[0]};
    if ((op->flags & FLAG_IDMAP) != 0) {
        if (task->spaces[SPACE_USER] < 0)
            return task->stage = "user namespace", -EBADF;
        attributes.attr_set |= MOUNT_ATTR_IDMAP;
        attributes.userns_fd = (unsigned int)task->spaces[SPACE_USER];
    }
    if (attributes.attr_set == 0)
        return 0;
    int error = mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes);
    return error < 0 ? task_fail(task, "mount_setattr") : 0;
}

static int attach(struct task *task, int tree, int target)
{
    int error = move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    return error < 0 ? task_fail(task, "move_mount") : 0;
}

int op_bind(struct task *task, const struct orc_record *op)
{
    struct stat source;
    bool in_root = (op->flags & FLAG_IN_ROOT) != 0;
    const char *path = list_text(task->list, op, 1);
    OWNED int tree = clone_source(task, op);
    if (tree < 0)
        return tree;
    int error = set_attributes(task, op, tree);
    if (error < 0)
        return error;
    if (fstat(tree, &source) < 0)
        return task_fail(task, "stat");
    OWNED int target = (op->flags & FLAG_CREATE) != 0
                           ? path_make_target(task, in_root, path, S_ISDIR(source.st_mode))
                           : path_open(task, in_root, path, O_PATH);
    return target < 0 ? task_fail(task, "open target") : attach(task, tree, target);
}

int op_mask(struct task *task, const struct orc_record *op)
{
    const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
    struct stat found;
    OWNED int target = path_open(task, true, list_text(task->list, op, 0), O_PATH);
    if (target < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : task_fail(task, "open");
    if (fstat(target, &found) < 0)
        return task_fail(task, "stat");
    if (!S_ISDIR(found.st_mode)) {
        OWNED int null = clone_null(task);
        return null < 0 ? null : attach(task, null, target);
    }
    int error = mount("tmpfs", fd_path(target).text, "tmpfs", flags, "nr_inodes=1");
    return error < 0 ? task_fail(task, "mount") : 0;
}

int op_read_only(struct task *task, const struct orc_record *op)
{
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    OWNED int target = path_open(task, true, list_text(task->list, op, 0), O_PATH);
    if (target < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : task_fail(task, "open");
    OWNED int tree = clone_tree(task, target, AT_RECURSIVE);
    if (tree < 0)
        return tree;
    if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &read_only, sizeof read_only) < 0)
        return task_fail(task, "mount_setattr");
    return attach(task, tree, target);
}

int op_read_only_root(struct task *task, const struct orc_record *op)
{
    (void)op;
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    int error = mount_setattr(task->root, "", AT_EMPTY_PATH, &read_only, sizeof read_only);
    return error < 0 ? task_fail(task, "mount_setattr") : 0;
}

int op_make_private(struct task *task, const struct orc_record *op)
{
    (void)op;
    int error = mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    return error < 0 ? task_fail(task, "mount") : 0;
}

/* pivot_root(".", ".") puts the old root on top of the new one, from where it is detached: no
 * directory is needed. */
int op_pivot_root(struct task *task, const struct orc_record *op)
{
    (void)op;
    if (fchdir(task->root) < 0)
        return task_fail(task, "chdir");
    if (syscall(SYS_pivot_root, ".", ".") < 0)
        return task_fail(task, "pivot_root");
    if (umount2(".", MNT_DETACH) < 0)
        return task_fail(task, "umount");
    return chdir("/") < 0 ? task_fail(task, "chdir") : 0;
}

/* Before pivot-root this is the host's; the check makes sure that no link or file poses as it
 * (CVE-2025-31133). */
static int clone_null(struct task *task)
{
    struct stat found;
    OWNED int null = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (null < 0 || fstat(null, &found) < 0)
        return task_fail(task, "open /dev/null");
    if (!S_ISCHR(found.st_mode) || found.st_rdev != makedev(1, 3))
        return task->stage = "check /dev/null", -EINVAL;
    return clone_tree(task, null, 0);
}
