/* Operations on files: set-root, mkdir, symlink, mknod, write, chdir. */
#include "paths.h"

enum { PROC_ROOT_INODE = 1 };

bool op_set_root(struct task *task, const struct orc_record *op)
{
    int fd = open(list_text(task->list, op, 0), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return task_fail(task, "open");
    if (task->root >= 0)
        close(task->root);
    task->root = fd;
    return true;
}

static bool in_root(const struct orc_record *op)
{
    return (op->flags & FLAG_IN_ROOT) != 0;
}

bool op_mkdir(struct task *task, const struct orc_record *op)
{
    const char *path = list_text(task->list, op, 0);
    struct owner owner = {.mode = op->num[0], .uid = op->num[1], .gid = op->num[2]};
    if (in_root(op)) {
        OWNED int fd = path_make_dirs(task, path, &owner);
        return task_did(task, "mkdir", fd);
    }
    if (mkdir(path, owner.mode & 0777) < 0)
        return errno == EEXIST || task_fail(task, "mkdir");
    return task_did(task, "chown", path_own(AT_FDCWD, path, &owner));
}

static bool is_same_link(int parent, const char *name, const char *to)
{
    char found[PATH_MAX];
    ssize_t length = readlinkat(parent, name, found, sizeof found);
    return length == (ssize_t)strlen(to) && memcmp(found, to, (size_t)length) == 0;
}

bool op_symlink(struct task *task, const struct orc_record *op)
{
    char name[NAME_MAX + 1];
    const char *to = list_text(task->list, op, 1);
    OWNED int parent = path_parent(task, in_root(op), list_text(task->list, op, 0), name);
    if (parent < 0)
        return task_fail(task, "open parent");
    bool spares = (op->flags & FLAG_OPTIONAL) != 0;
    return symlinkat(to, parent, name) == 0 ||
           (errno == EEXIST && (spares || is_same_link(parent, name, to))) ||
           task_fail(task, "symlink");
}

/* The specification wants an error only if it is another one. */
static bool is_there(int parent, const char *name, const struct orc_record *op)
{
    struct stat found;
    return errno == EEXIST && fstatat(parent, name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
           (found.st_mode & S_IFMT) == (op->num[0] & S_IFMT) &&
           found.st_rdev == makedev(op->num[3], op->num[4]);
}

bool op_mknod(struct task *task, const struct orc_record *op)
{
    char name[NAME_MAX + 1];
    OWNED int parent = path_parent(task, in_root(op), list_text(task->list, op, 0), name);
    if (parent < 0)
        return task_fail(task, "open parent");
    if (mknodat(parent, name, op->num[0], makedev(op->num[3], op->num[4])) < 0)
        return is_there(parent, name, op) || task_fail(task, "mknod"); /* another one's, bound */
    return task_did(task, "chown",
                    fchownat(parent, name, op->num[1], op->num[2], AT_SYMLINK_NOFOLLOW));
}

/* Nothing that was put over procfs, or on it, is written to (CVE-2025-52881). */
static int open_proc(const char *path)
{
    struct open_how how = {.flags = O_WRONLY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS};
    struct statfs system;
    struct stat found;
    OWNED int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0 || fstatfs(proc, &system) < 0 || fstat(proc, &found) < 0)
        return -1;
    errno = EXDEV;
    if (system.f_type != PROC_SUPER_MAGIC || found.st_ino != PROC_ROOT_INODE)
        return -1;
    return (int)syscall(SYS_openat2, proc, path, &how, sizeof how);
}

bool op_write(struct task *task, const struct orc_record *op)
{
    const char *path = list_text(task->list, op, 0);
    bool proc = (op->flags & FLAG_PROC) != 0;
    OWNED int fd = proc ? open_proc(path) : open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return task_fail(task, "open");
    ssize_t written = write(fd, list_text(task->list, op, 1), op->text[1].length);
    if (written >= 0 && (size_t)written != op->text[1].length)
        errno = EIO;
    return written == (ssize_t)op->text[1].length || task_fail(task, "write");
}

bool op_chdir(struct task *task, const struct orc_record *op)
{
    const char *path = list_text(task->list, op, 0);
    if (task->root < 0)
        return task_did(task, "chdir", chdir(path));
    OWNED int fd = path_open(task, true, path, O_PATH | O_DIRECTORY);
    if (fd >= 0)
        return task_did(task, "chdir", fchdir(fd));
    if (!task->sealed || (errno != EPERM && errno != ENOSYS))
        return task_fail(task, "open");
    /* A filter from before openat2 was. What is outside of the root is "(unreachable)". */
    char here[PATH_MAX];
    if (chdir(path) < 0)
        return task_fail(task, "chdir");
    errno = ENOENT;
    bool is_inside = syscall(SYS_getcwd, here, sizeof here) > 0 && here[0] == '/';
    return is_inside || task_fail(task, "chdir");
}
