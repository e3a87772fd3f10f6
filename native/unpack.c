/*
 * orc-unpack DIRECTORY: writes one image layer.
 *
 *   worker thread (TypeScript)             orc-unpack
 *   checks the tar ── operations ──▶ standard input: resolves each path below DIRECTORY with
 *                     (fixed layout)   openat2(RESOLVE_IN_ROOT), never follows a last component
 *        {index, errno, stage, path} ◀── standard output: only on failure; exit status 1
 *                                        exit status 0: all up to UNPACK_END is written
 *
 * orc-unpack --sync DIRECTORY: has everything on its file system on disk, once for many layers.
 * orc-unpack --compare A B SECONDS: tells what isn't the same in two layers (compare.c).
 *
 * The archive is hostile, no path is trusted: symbolic links in a layer are legal as parents
 * (lib -> usr/lib), and RESOLVE_IN_ROOT makes "/" and ".." in them end inside DIRECTORY.
 * The layout is that of agent/images/unpack-op.ts.
 */
#include "descriptor.h"
#include "programs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, XATTR_BYTES = 1 << 20, MAX_RANGES = 1 << 16 };
enum { BUFFER_BYTES = 1 << 20, EARLY_BYTES = 1 << 17, MAX_IMPLIED = 100000 };

enum unpack_kind {
    UNPACK_END = 0,
    UNPACK_DIRECTORY = 1,
    UNPACK_FILE = 2,
    UNPACK_SYMLINK = 3,
    UNPACK_HARD_LINK = 4,
    UNPACK_CHAR_DEVICE = 5,
    UNPACK_BLOCK_DEVICE = 6,
    UNPACK_FIFO = 7,
    UNPACK_WHITEOUT = 8,
    UNPACK_OPAQUE = 9,
    UNPACK_TIME = 10, /* of a directory, when nothing more will be made in it */
};

/* Followed by path, link, extended attributes, ranges, and a file's content: what belongs into
 * the ranges, or without any size bytes. */
struct unpack_op {
    uint32_t kind, mode, uid, gid;
    uint64_t size;
    int64_t mtime_s;
    uint32_t mtime_ns, major, minor, xattr_bytes;
    uint32_t path_bytes, link_bytes, range_count, reserved;
};

/* Of a sparse file: where a piece of its content belongs. */
struct unpack_range {
    uint64_t offset, bytes;
};

struct unpack_failure {
    uint32_t index;
    int32_t error;
    char stage[24];
    char path[224];
};

static struct {
    int root;
    uint32_t index, implied, has_links;
    const char *stage;
    struct unpack_op op;
    char path[PATH_BYTES + 1], link[PATH_BYTES + 1];
    char xattrs[XATTR_BYTES];
    struct unpack_range ranges[MAX_RANGES + 1]; /* one at the end says how long it is */
    char input[BUFFER_BYTES];
    size_t input_start, input_end;
    /* The last parent that was opened, as neighbours in an archive are neighbours on disk. */
    char parent_path[PATH_BYTES + 1];
    int parent;
} u;

#define STAGE(name, call) (u.stage = (name), (call))

/* ── input ── */

static int refill(void) {
    ssize_t got;
    do got = read(STDIN_FILENO, u.input, sizeof u.input);
    while (got < 0 && errno == EINTR);
    if (got < 0) return -errno;
    if (got == 0) return -EPIPE;
    u.input_start = 0;
    u.input_end = (size_t)got;
    return 0;
}

static int take(void *to, size_t bytes) {
    u.stage = "read";
    for (char *at = to; bytes > 0;) {
        if (u.input_start == u.input_end) {
            int e = refill();
            if (e) return e;
        }
        size_t part = u.input_end - u.input_start;
        if (part > bytes) part = bytes;
        memcpy(at, u.input + u.input_start, part);
        u.input_start += part, at += part, bytes -= part;
    }
    return 0;
}

static int take_string(char *to, uint32_t bytes) {
    if (bytes > PATH_BYTES) return -ENAMETOOLONG;
    int e = take(to, bytes);
    to[bytes] = 0;
    return e ? e : strlen(to) == bytes ? 0 : -EINVAL;
}

static int take_op(void) {
    int e = take(&u.op, sizeof u.op);
    if (!e) e = take_string(u.path, u.op.path_bytes);
    if (!e) e = take_string(u.link, u.op.link_bytes);
    if (!e && u.op.xattr_bytes > sizeof u.xattrs) e = -E2BIG;
    if (!e) e = take(u.xattrs, u.op.xattr_bytes);
    if (!e && u.op.range_count > MAX_RANGES + 1) e = -E2BIG;
    return e ? e : take(u.ranges, u.op.range_count * sizeof *u.ranges);
}

/* ── paths ── */

static int open_by(const char *path, uint64_t flags, uint64_t resolve) {
    struct open_how how = {.flags = flags | O_CLOEXEC,
                           .resolve = resolve | RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    long fd = syscall(SYS_openat2, u.root, *path ? path : ".", &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}

static int open_in_root(const char *path, uint64_t flags) {
    int fd = open_by(path, flags, RESOLVE_NO_SYMLINKS);
    if (fd != -ELOOP) return fd;
    u.has_links = 1;
    return open_by(path, flags, 0);
}

/* Without links in it a path leads no deeper than it is long; with them, than another path is. */
static int check_depth(int directory) {
    char self[32], byte;
    snprintf(self, sizeof self, "/proc/self/fd/%d", directory);
    return u.has_links && readlink(self, &byte, 1) < 0 ? -errno : 0;
}

static void forget_parent(void) {
    if (u.parent >= 0) close(u.parent);
    u.parent = -1;
}

static const char *last_component(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int is_plain_name(const char *name) {
    return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int is_whiteout(const struct stat *st) { return S_ISCHR(st->st_mode) && st->st_rdev == 0; }

static int remove_tree(int parent, const char *name);

static int remove_children(int directory) {
    DIR *entries = fdopendir(directory);
    if (!entries) return close(directory), -errno;
    int e = 0;
    for (struct dirent *d; !e && (d = readdir(entries));)
        if (is_plain_name(d->d_name)) e = remove_tree(dirfd(entries), d->d_name);
    closedir(entries);
    return e;
}

static int remove_tree(int parent, const char *name) {
    if (unlinkat(parent, name, 0) == 0) return 0;
    if (errno != EISDIR) return -errno;
    int directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0) return -errno;
    int e = remove_children(directory);
    if (e) return e;
    return unlinkat(parent, name, AT_REMOVEDIR) ? -errno : 0;
}

/* A later entry replaces an earlier one of the same name. */
static int make_room(int parent, const char *name) {
    return STAGE("replace", remove_tree(parent, name));
}

static int set_overlay(int parent, const char *name, const char *attribute, const char *value) {
    char at[PATH_BYTES + 64];
    snprintf(at, sizeof at, "/proc/self/fd/%d/%s", parent, name);
    u.stage = "overlay";
    return lsetxattr(at, attribute, value, strlen(value), 0) ? -errno : 0;
}

static int set_opaque(int parent, const char *name) {
    return set_overlay(parent, name, "trusted.overlay.opaque", "y");
}

/* Without it overlayfs lists whiteouts where no lower layer has the directory, or it is opaque. */
static int set_has_whiteouts(int directory) {
    return set_overlay(directory, ".", "trusted.overlay.origin", "");
}

/* What is there stays if it is a directory. In a whiteout's place it hides the lower ones. */
static int make_directory(int parent, const char *name) {
    if (STAGE("mkdir", mkdirat(parent, name, 0755)) == 0) return 0;
    struct stat st;
    if (errno != EEXIST) return -errno;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW)) return -errno;
    if (S_ISDIR(st.st_mode)) return 0;
    int e = make_room(parent, name);
    if (!e && mkdirat(parent, name, 0755)) e = -errno;
    return e || !is_whiteout(&st) ? e : set_opaque(parent, name);
}

/* A parent that the archive doesn't have: made if missing or whited out; a file in the way is an
 * error. One short entry may imply two thousand of them. */
static int make_implied(int parent, const char *name) {
    struct stat st;
    if (++u.implied > MAX_IMPLIED) return u.stage = "implied directories", -E2BIG;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !is_whiteout(&st)) return -ENOTDIR;
    return make_directory(parent, name);
}

/* Opens the directory, links followed inside the root; makes what is missing of it. */
static int open_directory(char *path) {
    int fd = STAGE("resolve", open_in_root(path, O_PATH | O_DIRECTORY));
    if ((fd != -ENOENT && fd != -ENOTDIR) || !*path) return fd;
    char *slash = strrchr(path, '/');
    const char *name = last_component(path);
    if (!is_plain_name(name)) return -EINVAL;
    if (slash) *slash = 0;
    OWNED int above = open_directory(slash ? path : (char[]){""});
    if (slash) *slash = '/';
    if (above < 0) return above;
    int e = make_implied(above, name);
    if (e) return e;
    fd = STAGE("resolve", openat(above, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    return fd < 0 ? -errno : fd;
}

/* The directory that an entry goes into: cached, not to be closed by the caller. */
static int open_parent(const char *path) {
    char parent[PATH_BYTES + 1];
    snprintf(parent, sizeof parent, "%.*s", (int)(last_component(path) - path), path);
    size_t length = strlen(parent);
    if (length) parent[length - 1] = 0;
    if (u.parent >= 0 && strcmp(parent, u.parent_path) == 0) return u.parent;
    forget_parent();
    u.has_links = 0;
    u.parent = open_directory(parent);
    strcpy(u.parent_path, parent);
    int e = u.parent < 0 ? 0 : check_depth(u.parent);
    if (e) forget_parent();
    return e ? e : u.parent;
}

/* ── attributes ── */

static int set_xattrs(const char *at) {
    u.stage = "setxattr";
    for (size_t i = 0; i < u.op.xattr_bytes;) {
        uint32_t name_bytes, value_bytes;
        if (u.op.xattr_bytes - i < 8) return -EINVAL;
        memcpy(&name_bytes, u.xattrs + i, 4), memcpy(&value_bytes, u.xattrs + i + 4, 4);
        i += 8;
        uint64_t bytes = (uint64_t)name_bytes + value_bytes;
        if (name_bytes == 0 || bytes > u.op.xattr_bytes - i) return -EINVAL;
        const char *name = u.xattrs + i; /* ends with a zero byte */
        if (name[name_bytes - 1] != 0) return -EINVAL;
        /* Where there are none of this kind, as without ACLs: other engines go without, too. */
        if (lsetxattr(at, name, name + name_bytes, value_bytes, 0) && errno != EOPNOTSUPP)
            return -errno;
        i += name_bytes + value_bytes;
    }
    return 0;
}

/* Owner first: changing it clears set-id bits and file capabilities. Links have no mode. */
static int set_attributes(int parent, const char *name) {
    char at[PATH_BYTES + 64];
    snprintf(at, sizeof at, "/proc/self/fd/%d/%s", parent, name);
    struct timespec mtime = {.tv_sec = u.op.mtime_s, .tv_nsec = u.op.mtime_ns};
    struct timespec times[2] = {mtime, mtime};
    int e;
    u.stage = "chown";
    if (fchownat(parent, name, u.op.uid, u.op.gid, AT_SYMLINK_NOFOLLOW)) return -errno;
    if (u.op.kind != UNPACK_SYMLINK && STAGE("chmod", fchmodat(parent, name, u.op.mode & 07777, 0)))
        return -errno;
    if ((e = set_xattrs(at))) return e;
    u.stage = "utimens";
    return utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
}

/* ── operations ── */

static int write_range(int fd, uint64_t bytes) {
    int e = 0;
    for (uint64_t left = bytes; left > 0 && !e;) {
        if (u.input_start == u.input_end && (e = STAGE("read", refill()))) return e;
        size_t part = u.input_end - u.input_start;
        if (part > left) part = (size_t)left;
        e = STAGE("write", descriptor_write(fd, u.input + u.input_start, part)) ? 0 : -errno;
        u.input_start += part, left -= part;
    }
    return e;
}

/* What is between the ranges of a sparse file stays a hole. */
static int write_content(int fd) {
    if (u.op.range_count == 0) return write_range(fd, u.op.size);
    for (uint32_t i = 0; i < u.op.range_count; i++) {
        const struct unpack_range *range = &u.ranges[i];
        if (STAGE("seek", lseek(fd, (off_t)range->offset, SEEK_SET)) < 0) return -errno;
        int e = write_range(fd, range->bytes);
        if (e) return e;
    }
    return STAGE("set size", ftruncate(fd, (off_t)u.op.size)) ? -errno : 0;
}

static int create_file(int parent, const char *name) {
    u.stage = "create";
    int fd = openat(parent, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return -errno;
    int e = write_content(fd);
    /* All is synced at the end: the disk may begin with what is large. */
    if (u.op.size >= EARLY_BYTES) sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    if (close(fd) && !e) e = -errno;
    return e;
}

static int create_node(int parent, const char *name) {
    static const mode_t types[] = {[UNPACK_CHAR_DEVICE] = S_IFCHR,
                                   [UNPACK_BLOCK_DEVICE] = S_IFBLK,
                                   [UNPACK_FIFO] = S_IFIFO,
                                   [UNPACK_WHITEOUT] = S_IFCHR};
    dev_t device = u.op.kind == UNPACK_WHITEOUT ? 0 : makedev(u.op.major, u.op.minor);
    u.stage = "mknod";
    return mknodat(parent, name, types[u.op.kind], device) ? -errno : 0;
}

/* Flags 0: a link at the end of the target is itself what gets the new name. */
static int create_hard_link(int parent, const char *name) {
    char path[PATH_BYTES + 1];
    snprintf(path, sizeof path, "%s", u.link);
    const char *target = last_component(u.link);
    if (!is_plain_name(target)) return u.stage = "link", -EINVAL;
    path[target == u.link ? 0 : target - u.link - 1] = 0;
    OWNED int from = STAGE("resolve link", open_in_root(path, O_PATH | O_DIRECTORY));
    if (from < 0) return from;
    int e = STAGE("link", linkat(from, target, parent, name, 0)) ? -errno : 0;
    if (e == -EPERM) return -EISDIR;
    struct stat a, b;
    if (e == -EEXIST && fstatat(from, target, &a, AT_SYMLINK_NOFOLLOW) == 0 &&
        fstatat(parent, name, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_ino == b.st_ino)
        e = 0;
    return e;
}

static int create(int parent, const char *name) {
    switch (u.op.kind) {
    case UNPACK_DIRECTORY: return make_directory(parent, name);
    case UNPACK_FILE: return create_file(parent, name);
    case UNPACK_SYMLINK: return STAGE("symlink", symlinkat(u.link, parent, name)) ? -errno : 0;
    case UNPACK_HARD_LINK: return create_hard_link(parent, name);
    case UNPACK_CHAR_DEVICE:
    case UNPACK_BLOCK_DEVICE:
    case UNPACK_FIFO: return create_node(parent, name);
    default: return u.stage = "operation", -EINVAL;
    }
}

/* The root itself: an archive may set its attributes, but not replace it. */
static int run_on_root(void) {
    if (u.op.kind == UNPACK_OPAQUE) return set_opaque(u.root, ".");
    if (u.op.kind != UNPACK_DIRECTORY) return u.stage = "replace root", -EINVAL;
    return set_attributes(u.root, ".");
}

/* Hides the lower layers' entry; one that this layer has itself stays (image-spec, layer.md). */
static int whiteout(int parent, const char *name) {
    int e = create_node(parent, name);
    struct stat st;
    if (!e) return set_has_whiteouts(parent);
    if (e != -EEXIST) return e;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW)) return -errno;
    return S_ISDIR(st.st_mode) ? set_opaque(parent, name) : 0;
}

static int opaque(void) {
    char path[PATH_BYTES + 1];
    strcpy(path, u.path);
    OWNED int directory = open_directory(path);
    return directory < 0 ? directory : set_opaque(directory, ".");
}

/* One that a later entry replaced is passed over. */
static int set_directory_time(void) {
    struct timespec mtime = {.tv_sec = u.op.mtime_s, .tv_nsec = u.op.mtime_ns};
    struct timespec times[2] = {mtime, mtime};
    OWNED int fd = open_in_root(u.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    return fd < 0 || STAGE("directory time", futimens(fd, times)) == 0 ? 0 : -errno;
}

static int run(void) {
    if (u.op.kind == UNPACK_TIME) return set_directory_time();
    if (!*u.path) return run_on_root();
    if (u.op.kind == UNPACK_OPAQUE) return opaque();
    const char *name = last_component(u.path);
    if (*u.path == '/' || !is_plain_name(name)) return u.stage = "name", -EINVAL;
    int parent = open_parent(u.path);
    if (parent < 0) return parent;
    if (u.op.kind == UNPACK_WHITEOUT) return whiteout(parent, name);
    int e = create(parent, name);
    if (e == -EEXIST) {
        e = make_room(parent, name);
        if (!e) e = create(parent, name);
    }
    if (e || u.op.kind == UNPACK_HARD_LINK) return e;
    return set_attributes(parent, name);
}

static int unpack(const char *directory) {
    u.parent = -1;
    u.root = STAGE("open", open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (u.root < 0 || fchmod(u.root, 0755)) return -errno;
    for (int e;; u.index++) {
        if ((e = take_op())) return e;
        if (u.op.kind == UNPACK_END) return 0;
        if ((e = run())) return e;
    }
}

static int sync_file_system(const char *directory) {
    int fd = STAGE("open", open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    return fd < 0 || STAGE("sync", syncfs(fd)) ? -errno : 0;
}

int unpack_main(int argc, char **argv) {
    if (argc == 5 && strcmp(argv[1], "--compare") == 0)
        return compare_layers(argv[2], argv[3], argv[4]);
    int syncs = argc == 3 && strcmp(argv[1], "--sync") == 0;
    if (argc != 2 && !syncs) return dprintf(STDERR_FILENO, "usage: orc-unpack [--sync] DIR\n"), 2;
    umask(0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    int e = syncs ? sync_file_system(argv[2]) : unpack(argv[1]);
    if (!e) return 0;
    struct unpack_failure failure = {.index = u.index, .error = -e};
    snprintf(failure.stage, sizeof failure.stage, "%s", u.stage);
    snprintf(failure.path, sizeof failure.path, "%s", u.path);
    return descriptor_write(STDOUT_FILENO, &failure, sizeof failure) ? 1 : 2;
}
