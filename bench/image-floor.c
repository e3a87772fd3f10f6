/*
 * image-floor get PORT PATH...            reads what http://127.0.0.1:PORT PATH answers, all at once
 * image-floor gunzip LIBRARY FILE...      undoes gzip with libdeflate
 * image-floor hash LIBRARY FILE...        SHA-256 with libcrypto
 * image-floor write DIRECTORY TAR...      makes the files of plain tars, syncs
 *
 * The parts that no pull can do without, each as cheaply as it can be done: files are in memory
 * before the clock starts, and two threads take them in the order given. Says nanoseconds on the
 * clock and of processor time.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 512, MAX_FILES = 128, OUTPUT_BYTES = 1 << 28, RECEIVE_BYTES = 1 << 18 };

struct file {
    const char *name;
    const unsigned char *bytes;
    size_t size;
};

static struct file files[MAX_FILES];
static int file_count, next_file, is_started, target, port;
static unsigned thread_count = 2;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t started = PTHREAD_COND_INITIALIZER;
static void (*work)(int index, unsigned char *buffer);

static void *symbol(const char *library, const char *name) {
    void *handle = dlopen(library, RTLD_NOW);
    void *found = handle ? dlsym(handle, name) : NULL;
    if (!found) errx(1, "%s", dlerror());
    return found;
}

/* ── get ── */

static void get(int index, unsigned char *buffer) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to)) err(1, "connect");
    if (dprintf(fd, "GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n", files[index].name) < 0)
        err(1, "send");
    ssize_t got = read(fd, buffer, RECEIVE_BYTES);
    if (got < 12 || memcmp(buffer + 9, "200", 3)) errx(1, "%s: no", files[index].name);
    while (got > 0) got = read(fd, buffer, RECEIVE_BYTES);
    if (got < 0) err(1, "receive");
    close(fd);
}

/* ── gunzip, hash ── */

static void *(*alloc_decompressor)(void);
static int (*gzip_decompress)(void *, const void *, size_t, void *, size_t, size_t *);
static unsigned char *(*sha256)(const unsigned char *, size_t, unsigned char *);

static void gunzip(int index, unsigned char *buffer) {
    size_t size;
    const struct file *from = &files[index];
    void *with = alloc_decompressor();
    if (gzip_decompress(with, from->bytes, from->size, buffer, OUTPUT_BYTES, &size))
        errx(1, "%s can not be decompressed", from->name);
}

static void hash(int index, unsigned char *buffer) {
    sha256(files[index].bytes, files[index].size, buffer);
}

/* ── write ── */

static void make_entry(int directory, const unsigned char *header, size_t size) {
    char path[257];
    const char *name = (const char *)header, *prefix = name + 345;
    snprintf(path, sizeof path, "%.155s%s%.100s", prefix, *prefix ? "/" : "", name);
    char link[101];
    snprintf(link, sizeof link, "%.100s", name + 157);
    mode_t mode = (mode_t)strtoul(name + 100, NULL, 8);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = strtol(name + 136, NULL, 8)}};
    if (header[156] == '5') {
        if (mkdirat(directory, path, mode) && errno != EEXIST) err(1, "mkdir %s", path);
        return;
    }
    if (header[156] == '2') {
        if (symlinkat(link, directory, path)) err(1, "symlink %s", path);
        return;
    }
    int fd = openat(directory, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) err(1, "open %s", path);
    for (size_t done = 0; done < size;) {
        ssize_t put = write(fd, header + BLOCK + done, size - done);
        if (put < 0) err(1, "write %s", path);
        done += (size_t)put;
    }
    if (futimens(fd, times)) err(1, "utimens %s", path);
    close(fd);
}

static void write_tree(int index, unsigned char *buffer) {
    char name[16];
    snprintf(name, sizeof name, "%d", index);
    if (mkdirat(target, name, 0755)) err(1, "mkdir");
    int directory = openat(target, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct file *from = &files[index];
    for (size_t at = 0; at + BLOCK <= from->size && from->bytes[at];) {
        size_t size = strtoul((const char *)from->bytes + at + 124, NULL, 8);
        make_entry(directory, from->bytes + at, size);
        at += BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK;
    }
    close(directory);
    (void)buffer;
}

/* ── all of them ── */

static void *run(void *buffer) {
    pthread_mutex_lock(&lock);
    while (!is_started) pthread_cond_wait(&started, &lock);
    while (next_file < file_count) {
        int index = next_file++;
        pthread_mutex_unlock(&lock);
        work(index, buffer);
        pthread_mutex_lock(&lock);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void load(struct file *file) {
    struct stat st;
    int fd = open(file->name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st)) err(1, "%s", file->name);
    file->size = (size_t)st.st_size;
    file->bytes = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (file->bytes == MAP_FAILED) err(1, "%s", file->name);
    close(fd);
}

static void choose(const char *verb, const char *argument) {
    if (strcmp(verb, "get") == 0) {
        work = get, port = atoi(argument), thread_count = (unsigned)file_count;
        return;
    }
    for (int i = 0; i < file_count; i++) load(&files[i]);
    if (strcmp(verb, "gunzip") == 0) {
        work = gunzip;
        *(void **)&alloc_decompressor = symbol(argument, "libdeflate_alloc_decompressor");
        *(void **)&gzip_decompress = symbol(argument, "libdeflate_gzip_decompress");
    } else if (strcmp(verb, "hash") == 0) {
        work = hash;
        *(void **)&sha256 = symbol(argument, "SHA256");
    } else {
        work = write_tree, target = open(argument, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (target < 0) err(1, "%s", argument);
    }
}

static int64_t nanoseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int main(int argc, char **argv) {
    pthread_t threads[MAX_FILES];
    if (argc < 4 || argc - 3 > MAX_FILES) errx(2, "wrong arguments");
    umask(0);
    file_count = argc - 3;
    for (int i = 0; i < file_count; i++) files[i].name = argv[i + 3];
    choose(argv[1], argv[2]);
    size_t bytes = work == gunzip ? OUTPUT_BYTES : RECEIVE_BYTES;
    for (unsigned i = 0; i < thread_count; i++) {
        void *buffer = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (buffer == MAP_FAILED || pthread_create(&threads[i], NULL, run, buffer))
            err(1, "thread");
    }
    pthread_mutex_lock(&lock);
    int64_t begun = nanoseconds(CLOCK_MONOTONIC), used = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
    is_started = 1;
    pthread_cond_broadcast(&started);
    pthread_mutex_unlock(&lock);
    for (unsigned i = 0; i < thread_count; i++) pthread_join(threads[i], NULL);
    if (work == write_tree && syncfs(target)) err(1, "sync");
    printf("%lld %lld\n", (long long)(nanoseconds(CLOCK_MONOTONIC) - begun),
           (long long)(nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - used));
    return 0;
}
