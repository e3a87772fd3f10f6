/* Operations on mounts. Targets are descriptors: what was checked is what is mounted on. */
#include "paths.h"

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
    if (target < 0 || (fstat(target, &found) == 0 && !S_ISLNK(found.st_mode)))
        return target;
    close(target);
    return errno = ELOOP, -1;
}

bool op_mount(struct task *task, const struct orc_record *op)
{
    struct stat before, after;
    OWNED int target = open_mount_target(task, op);
    if (target < 0)
        return task_fail(task, "open target");
    /* The kernel would take the first page of its options and leave out the rest. */
    if (op->text[3].length >= (size_t)sysconf(_SC_PAGESIZE))
        return task_refuse(task, "mount", E2BIG);
    bool copies = (op->flags & FLAG_COPY_UP) != 0;
    OWNED int old = copies ? open(fd_path(target).text, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (mount(list_text(task->list, op, 0), fd_path(target).text, list_text(task->list, op, 2),
              op->num[0], list_text(task->list, op, 3)) < 0)
        return task_fail(task, "mount");
    if (!copies)
        return true;
    OWNED int new = path_open(task, (op->flags & FLAG_IN_ROOT) != 0, list_text(task->list, op, 1),
                              O_RDONLY | O_DIRECTORY);
    errno = ESTALE;
    bool copied = old >= 0 && new >= 0 && fstat(old, &before) == 0 && fstat(new, &after) == 0 &&
                  before.st_dev != after.st_dev && copy_up(old, new) == 0;
    return copied || task_fail(task, "copy up");
}

static int clone_tree(int source, unsigned int flags)
{
    return open_tree(source, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | flags);
}

static bool attach(struct task *task, int tree, int target)
{
    const unsigned int by_descriptor = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    return task_did(task, "move_mount", move_mount(tree, "", target, "", by_descriptor));
}

bool mount_descriptor(struct task *task, int source, int target)
{
    OWNED int tree = clone_tree(source, 0);
    return task_did(task, "open_tree", tree) && attach(task, tree, target);
}

/* What BIND and SET_MOUNT ask for, of the mount itself and of all that is below it. */
static bool change(struct task *task, const struct orc_record *op, int tree)
{
    struct mount_attr own = {
        .attr_set = op->num[0] | ((op->flags & FLAG_IDMAP) != 0 ? MOUNT_ATTR_IDMAP : 0U),
        .attr_clr = op->num[1],
        .propagation = op->wide[0],
    };
    struct mount_attr all = {
        .attr_set = op->num[2], .attr_clr = op->num[3], .propagation = op->wide[1]};
    if (((own.attr_set | all.attr_set) & MOUNT_ATTR_IDMAP) != 0) {
        if (op->num[4] >= SPACE_COUNT || task->spaces[op->num[4]] < 0)
            return task_refuse(task, "user namespace", EBADF);
        own.userns_fd = all.userns_fd = (unsigned int)task->spaces[op->num[4]];
    }
    return (mount_setattr(tree, "", AT_EMPTY_PATH, &own, sizeof own) == 0 &&
            mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &all, sizeof all) == 0) ||
           task_fail(task, "mount_setattr");
}

bool op_set_mount(struct task *task, const struct orc_record *op)
{
    const char *path = list_text(task->list, op, 0);
    OWNED int fd = path_open(task, (op->flags & FLAG_IN_ROOT) != 0, path, O_PATH);
    return task_did(task, "open", fd) && change(task, op, fd);
}

/* A volume's directory is to its sub paths what the root is to other paths. */
static int open_below(const char *below, const char *path)
{
    OWNED int root = open(below, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct task volume = {.root = root};
    return root < 0 ? -1 : path_make_target(&volume, true, path, true);
}

/* Without a source the target is bound to itself. */
bool op_bind(struct task *task, const struct orc_record *op)
{
    struct stat found;
    bool in_root = (op->flags & FLAG_IN_ROOT) != 0, itself = op->text[0].length == 0;
    const char *from = list_text(task->list, op, 0), *path = list_text(task->list, op, 1);
    OWNED int source = itself ? path_open(task, in_root, path, O_PATH)
                       : op->text[2].length > 0 ? open_below(list_text(task->list, op, 2), from)
                                                : path_open(task, false, from, O_PATH);
    if (source < 0 && (op->flags & FLAG_OPTIONAL) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return true;
    if (source < 0 || fstat(source, &found) < 0)
        return task_fail(task, "open source");
    bool recursive = (op->flags & FLAG_RECURSIVE) != 0;
    OWNED int tree = clone_tree(source, recursive ? AT_RECURSIVE : 0);
    if (!task_did(task, "open_tree", tree) || !change(task, op, tree))
        return false;
    if (itself)
        return attach(task, tree, source);
    OWNED int target = (op->flags & FLAG_CREATE) != 0
                           ? path_make_target(task, in_root, path, S_ISDIR(found.st_mode))
                           : path_open(task, in_root, path, O_PATH);
    return task_did(task, "open target", target) && attach(task, tree, target);
}

/* A file is covered by the null device. Before pivot-root this is the host's: read-only, as its
 * mode and owner are the host's, too. The check makes sure that no link or file poses as it
 * (CVE-2025-31133). */
bool op_mask(struct task *task, const struct orc_record *op)
{
    const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    struct stat found;
    OWNED int target = path_open(task, true, list_text(task->list, op, 0), O_PATH);
    if (target < 0)
        return errno == ENOENT || errno == ENOTDIR || task_fail(task, "open");
    if (fstat(target, &found) < 0)
        return task_fail(task, "stat");
    if (S_ISDIR(found.st_mode))
        return task_did(task, "mount", mount("tmpfs", fd_path(target).text, "tmpfs", flags,
                                             "nr_inodes=1"));
    OWNED int null = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (null < 0 || fstat(null, &found) < 0)
        return task_fail(task, "open /dev/null");
    if (!S_ISCHR(found.st_mode) || found.st_rdev != makedev(1, 3))
        return task_refuse(task, "check /dev/null", EINVAL);
    OWNED int tree = clone_tree(null, 0);
    return task_did(task, "open_tree", tree) &&
           task_did(task, "mount_setattr",
                    mount_setattr(tree, "", AT_EMPTY_PATH, &read_only, sizeof read_only)) &&
           attach(task, tree, target);
}

/* pivot_root(".", ".") puts the old root on top of the new one, from where it is detached: no
 * directory is needed. */
bool op_pivot_root(struct task *task, const struct orc_record *op)
{
    (void)op;
    return task_did(task, "chdir", fchdir(task->root)) &&
           task_did(task, "pivot_root", syscall(SYS_pivot_root, ".", ".")) &&
           task_did(task, "umount", umount2(".", MNT_DETACH)) &&
           task_did(task, "chdir", chdir("/"));
}
