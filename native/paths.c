#include "paths.h"

enum { MAX_RACES = 64, MAX_FOLLOWED = 8 };

struct fd_path fd_path(int fd)
{
    struct fd_path path;
    snprintf(path.text, sizeof path.text, "/proc/self/fd/%d", fd);
    return path;
}

int path_open(const struct task *task, bool in_root, const char *path, int flags)
{
    struct open_how how = {
        .flags = (unsigned int)flags | O_CLOEXEC,
        .resolve = in_root ? RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS : 0,
    };
    int base = in_root ? task->root : AT_FDCWD;
    int fd = -1;
    /* EAGAIN: something was renamed while ".." was resolved; a container that does so all day
     * gets its error. */
    for (int i = 0; i < MAX_RACES && fd < 0; i++) {
        fd = (int)syscall(SYS_openat2, base, path, &how, sizeof how);
        if (fd < 0 && errno != EAGAIN)
            break;
    }
    return fd;
}

int path_parent(const struct task *task, bool in_root, const char *path, char name[NAME_MAX + 1])
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const char *last = slash == NULL ? path : slash + 1;
    size_t length = (size_t)(last - path);
    if (*last == '\0' || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
        return errno = EINVAL, -1;
    if (strlen(last) > NAME_MAX || length >= sizeof parent)
        return errno = ENAMETOOLONG, -1;
    memcpy(name, last, strlen(last) + 1);
    memcpy(parent, path, length);
    parent[length] = '\0';
    return path_open(task, in_root, length == 0 ? "." : parent, O_PATH | O_DIRECTORY);
}

static int make_dir(const struct task *task, const char *path, const struct owner *owner)
{
    char name[NAME_MAX + 1];
    OWNED int there = path_open(task, true, path, O_PATH | O_DIRECTORY);
    if (there >= 0 || errno != ENOENT)
        return there < 0 ? -1 : 0;
    OWNED int parent = path_parent(task, true, path, name);
    if (parent < 0)
        return -1;
    if (mkdirat(parent, name, owner->mode & 0777) < 0)
        return errno == EEXIST ? 0 : -1;
    return path_own(parent, name, owner);
}

int path_make_dirs(const struct task *task, const char *path, const struct owner *owner)
{
    char prefix[PATH_MAX];
    int fd = path_open(task, true, path, O_PATH | O_DIRECTORY);
    if (fd >= 0 || errno != ENOENT)
        return fd;
    snprintf(prefix, sizeof prefix, "%s", path);
    for (char *end = prefix + strspn(prefix, "/"); *end != '\0'; end += strspn(end, "/")) {
        end = strchrnul(end, '/');
        char next = *end;
        *end = '\0';
        if (make_dir(task, prefix, owner) < 0)
            return -1;
        *end = next;
    }
    return path_open(task, true, path, O_PATH | O_DIRECTORY);
}

/* mkdir ignores set-group-ID and sticky, chown clears the former: so mode last, by descriptor. */
int path_own(int parent, const char *name, const struct owner *owner)
{
    OWNED int fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fchownat(fd, "", owner->uid, owner->gid, AT_EMPTY_PATH) < 0)
        return -1;
    return (owner->mode & 07000) != 0 ? chmod(fd_path(fd).text, owner->mode) : 0;
}

static struct owner root_owner(const struct task *task, mode_t mode)
{
    struct stat root = {0};
    if (task->root >= 0 && fstat(task->root, &root) < 0)
        root.st_uid = root.st_gid = 0;
    return (struct owner){.mode = mode, .uid = root.st_uid, .gid = root.st_gid};
}

static int make_file(const struct task *task, const char *path, const struct owner *owner)
{
    char name[NAME_MAX + 1];
    char dirs[PATH_MAX];
    struct owner dir_owner = {.mode = 0755, .uid = owner->uid, .gid = owner->gid};
    snprintf(dirs, sizeof dirs, "%s", path);
    char *slash = strrchr(dirs, '/');
    if (slash != NULL && slash != dirs) {
        *slash = '\0';
        OWNED int made = path_make_dirs(task, dirs, &dir_owner);
        if (made < 0)
            return -1;
    }
    OWNED int parent = path_parent(task, true, path, name);
    if (parent < 0 || mknodat(parent, name, S_IFREG | owner->mode, 0) < 0)
        return -1;
    return fchownat(parent, name, owner->uid, owner->gid, AT_SYMLINK_NOFOLLOW);
}

/* Images ship links to files that don't exist yet (/etc/resolv.conf): replaces `path` by what it
 * points to. */
static int follow_dangling(const struct task *task, char path[PATH_MAX])
{
    char name[NAME_MAX + 1];
    char to[PATH_MAX];
    OWNED int parent = path_parent(task, true, path, name);
    ssize_t length = parent < 0 ? -1 : readlinkat(parent, name, to, sizeof to - 1);
    if (length < 0)
        return -1;
    to[length] = '\0';
    const char *slash = to[0] == '/' ? NULL : strrchr(path, '/');
    size_t keep = slash == NULL ? 0 : (size_t)(slash + 1 - path);
    if (keep + (size_t)length >= PATH_MAX)
        return errno = ENAMETOOLONG, -1;
    memcpy(path + keep, to, (size_t)length + 1);
    return 0;
}

int path_make_target(const struct task *task, bool in_root, const char *path, bool directory)
{
    struct owner owner = root_owner(task, directory ? 0755 : 0644);
    int fd = path_open(task, in_root, path, O_PATH);
    if (fd >= 0 || errno != ENOENT)
        return fd;
    if (!in_root)
        return directory && mkdir(path, 0755) == 0 ? path_open(task, false, path, O_PATH) : -1;
    if (directory)
        return path_make_dirs(task, path, &owner);
    char target[PATH_MAX];
    snprintf(target, sizeof target, "%s", path);
    for (int i = 0; i < MAX_FOLLOWED; i++) {
        if (make_file(task, target, &owner) == 0)
            return path_open(task, true, target, O_PATH | O_NOFOLLOW);
        if (errno != EEXIST || follow_dangling(task, target) < 0)
            return -1;
    }
    return errno = ELOOP, -1;
}
