/* tmpcopyup: what an image's directory holds, in the empty file system that covers it. */
#include "paths.h"

enum { MAX_DEPTH = 64, PART = 1 << 20 };

static int copy_directory(int from, int to, int depth);

/* A file, directory or link, with its owner and its mode. No device: what an image's file system
 * doesn't let anybody open, the new one might. */
static int copy_entry(int from, int to, const char *name, int depth)
{
    char link[PATH_MAX] = "";
    struct stat found;
    if (fstatat(from, name, &found, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    if (S_ISCHR(found.st_mode) || S_ISBLK(found.st_mode))
        return 0;
    bool is_link = S_ISLNK(found.st_mode), is_directory = S_ISDIR(found.st_mode);
    if (is_link && readlinkat(from, name, link, sizeof link - 1) < 0)
        return -1;
    int made = is_link        ? symlinkat(link, to, name)
               : is_directory ? mkdirat(to, name, 0700)
                              : mknodat(to, name, (found.st_mode & S_IFMT) | 0600, 0);
    if (made < 0 || fchownat(to, name, found.st_uid, found.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    if (is_link || fchmodat(to, name, found.st_mode & 07777, 0) < 0)
        return is_link ? 0 : -1;
    if (!is_directory && !S_ISREG(found.st_mode))
        return 0;
    OWNED int source = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    OWNED int target = openat(to, name, (is_directory ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
    if (source < 0 || target < 0 || is_directory)
        return source < 0 || target < 0 ? -1 : copy_directory(source, target, depth + 1);
    ssize_t sent = 1;
    while (sent > 0)
        sent = sendfile(target, source, NULL, PART);
    return (int)sent;
}

static int copy_directory(int from, int to, int depth)
{
    _Alignas(struct dirent64) char entries[4096];
    ssize_t got = -1;
    errno = ELOOP;
    while (depth < MAX_DEPTH && (got = getdents64(from, entries, sizeof entries)) > 0)
        for (ssize_t at = 0; at < got;) {
            const struct dirent64 *entry = (const void *)(entries + at);
            const char *name = entry->d_name;
            at += entry->d_reclen;
            if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
                copy_entry(from, to, name, depth) < 0)
                return -1;
        }
    return (int)got;
}

int copy_up(int from, int to)
{
    return copy_directory(from, to, 0);
}
