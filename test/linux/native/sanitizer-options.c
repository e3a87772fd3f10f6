/* Part of the sanitised program: it is started without an environment and with its outputs on
 * /dev/null, so what it finds is written where test/support/sanitised.ts looks. And it ends a
 * process that allocates memory between fork and exec: another thread of the parent could have held
 * the allocator's lock, and in a container's memory cgroup it may fail. */
#include <stdlib.h>
#include <unistd.h>

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));

const char *__asan_default_options(void)
{
    return "log_path=/tmp/orc-sanitizer:abort_on_error=1:detect_leaks=0:"
           "detect_stack_use_after_return=1";
}

const char *__ubsan_default_options(void)
{
    return "log_path=/tmp/orc-sanitizer:print_stacktrace=1";
}

static pid_t owner;

static void on_malloc(const volatile void *bytes, size_t size)
{
    (void)bytes;
    (void)size;
    if (getpid() != owner)
        abort();
}

static void on_free(const volatile void *bytes)
{
    (void)bytes;
}

__attribute__((constructor)) static void watch(void)
{
    owner = getpid();
    __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}
