/* probe setfsuid VALUE | setfsuid32 VALUE: makes the system call, the second one as a program of
 * 32 bits would, and says what came of it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void trapped(int number, siginfo_t *about, void *context)
{
    (void)number;
    (void)context;
    printf("trap %d\n", about->si_errno);
    exit(0);
}

static long make32(unsigned long value)
{
#ifdef __x86_64__
    long result;
    const long setfsuid_of_i386 = 138;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(setfsuid_of_i386), "b"(value) : "memory");
    errno = result < 0 ? (int)-result : 0;
    return result < 0 ? -1 : result;
#else
    return syscall(SYS_setfsuid, value);
#endif
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
    unsigned long value = argc == 3 ? strtoul(argv[2], NULL, 0) : 0;
    sigaction(SIGSYS, &action, NULL);
    long result = strcmp(argv[1], "setfsuid") == 0 ? syscall(SYS_setfsuid, value) : make32(value);
    if (result < 0)
        printf("errno %d\n", errno);
    else
        printf("done\n");
    return 0;
}
