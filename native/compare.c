/*
 * orc-unpack --compare A B SECONDS: "WHAT PATH" and a zero byte for everything in which layer A
 * differs from B. Times from SECONDS on are those of unpacking B: no archive names them.
 */
#include "descriptor.h"
#include "programs.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

enum { MOST_TOLD = 1000 };

static struct {
    const char *from, *to;
    /* For what is only there. */
    int looks_back;
    time_t since;
    unsigned told;
    char a[1 << 20], b[1 << 20], names[XATTR_LIST_MAX];
    /* Files with several names: which one of the other layer each is. */
    void *here, *there;
} c;

static int same(ssize_t a, ssize_t b) {
    return a == b && (a <= 0 || memcmp(c.a, c.b, (size_t)a) == 0);
}

static int same_content(const char *path, const char *other) {
    OWNED int a = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    OWNED int b = open(other, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    for (;;) {
        ssize_t got = read(a, c.a, sizeof c.a);
        if (got < 0 || !same(got, read(b, c.b, sizeof c.b))) return 0;
        if (got == 0) return 1;
    }
}

static int same_xattrs(const char *path, const char *other) {
    ssize_t bytes = llistxattr(path, c.names, sizeof c.names);
    if (bytes != llistxattr(other, NULL, 0)) return 0;
    for (const char *at = c.names; at < c.names + bytes; at += strlen(at) + 1)
        if (!same(lgetxattr(path, at, c.a, sizeof c.a), lgetxattr(other, at, c.b, sizeof c.b)))
            return 0;
    return 1;
}

static int by_first(const void *a, const void *b) {
    const ino_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* What led somewhere leads there again. */
static int leads(void **known, ino_t from, ino_t to) {
    ino_t *pair = malloc(2 * sizeof *pair), **found;
    if (!pair) abort();
    pair[0] = from, pair[1] = to;
    found = tsearch(pair, known, by_first);
    return found && (*found)[1] == to;
}

static int same_links(const struct stat *a, const struct stat *b) {
    if (a->st_nlink != b->st_nlink || a->st_nlink == 1) return a->st_nlink == b->st_nlink;
    return leads(&c.here, a->st_ino, b->st_ino) && leads(&c.there, b->st_ino, a->st_ino);
}

/* NULL: in nothing. */
static const char *difference(const char *path, const struct stat *a, const char *other) {
    struct stat found, *b = &found;
    if (lstat(other, b)) return "extra";
    mode_t type = b->st_mode & S_IFMT;
    if ((a->st_mode & S_IFMT) != type) return "type";
    if (a->st_mode != b->st_mode) return "mode";
    if (a->st_uid != b->st_uid || a->st_gid != b->st_gid) return "owner";
    if (a->st_rdev != b->st_rdev) return "device";
    if (type == S_IFLNK &&
        !same(readlink(path, c.a, sizeof c.a), readlink(other, c.b, sizeof c.b)))
        return "target";
    if (type == S_IFREG && !same_content(path, other)) return "content";
    if (type != S_IFDIR && !same_links(a, b)) return "links";
    if (b->st_mtim.tv_sec < c.since && memcmp(&a->st_mtim, &b->st_mtim, sizeof a->st_mtim))
        return "time";
    return same_xattrs(path, other) ? NULL : "attributes";
}

static int walk(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)kind, (void)at;
    const char *name = path + strlen(c.from), *what = NULL;
    char other[PATH_MAX * 2];
    snprintf(other, sizeof other, "%s%s", c.to, name);
    if (!c.looks_back) what = difference(path, st, other);
    else if (lstat(other, &(struct stat){0})) what = "missing";
    if (what && c.told++ < MOST_TOLD) printf("%s %s%c", what, *name ? name : "/", 0);
    return 0;
}

int compare_layers(const char *a, const char *b, const char *since) {
    c.from = a, c.to = b, c.since = atol(since);
    int failed = nftw(a, walk, 64, FTW_PHYS);
    c.from = b, c.to = a, c.looks_back = 1;
    failed = failed || nftw(b, walk, 64, FTW_PHYS);
    if (failed) perror("orc-unpack --compare");
    return failed || fflush(stdout) ? 1 : 0;
}
