/*
 * What a container costs at least: the system calls that bench/runtime.ts' other contenders make
 * too, in one small static program. And the clock of those others that are programs themselves, so
 * that no large process' fork is counted among what they take.
 *
 *   floor WORK LAYER FILTER GROUP…
 *
 * WORK: a directory of its own; LAYER: a root file system with /true; FILTER: struct sock_filter[];
 * GROUP: cgroup directories, of version 1 all of them, of version 2 "into:DIRECTORY". Each line of
 * standard input is answered with one of standard output, in nanoseconds from its beginning:
 *
 *   container             started exited deleted    in namespaces of a pod that is there
 *   pod                   started exited deleted    with a pod of its own, and its link
 *   burst KIND N AT_ONCE  all                       N of these, so many at a time at most
 *   peer PROGRAM ROOT BUNDLE ID                     started exited deleted    an OCI runtime
 *   peers PROGRAM ROOT BUNDLE N AT_ONCE             all
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/veth.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_ID = 1000000000, IDS = 65536, SPACES = 4, MAX_GROUPS = 16, MAX_FILTER = 4096 };

struct spaces {
    int fd[SPACES]; /* user, net, ipc, uts */
};

static const char *const space_names[SPACES] = {"user", "net", "ipc", "uts"};
static const char *const masked[] = {"proc/acpi",      "proc/kcore",       "proc/keys",
                                     "proc/latency_stats", "proc/timer_list", "proc/sched_debug",
                                     "proc/scsi",      "sys/firmware",     "proc/interrupts"};
static const char *const read_only[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys",
                                        "proc/sysrq-trigger"};

static const char *work, *layer;
static char *groups[MAX_GROUPS];
static int group_count;
static bool into_group;
static struct sock_filter filter[MAX_FILTER];
static struct sock_fprog program = {.filter = filter};
static int netlink; /* of this network namespace */
static unsigned int rounds;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    _exit(1);
}

static int must(long result, const char *what)
{
    if (result < 0)
        die(what);
    return (int)result;
}

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static const char *text(const char *format, ...)
{
    static char texts[4][PATH_MAX];
    static unsigned int turn;
    char *to = texts[turn++ % 4];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(to, PATH_MAX, format, arguments);
    va_end(arguments);
    return to;
}

static void put(const char *path, const char *bytes)
{
    int fd = must(open(path, O_WRONLY | O_CLOEXEC), path);
    must(write(fd, bytes, strlen(bytes)), path);
    close(fd);
}

static pid_t clone_with(uint64_t flags, int group)
{
    struct clone_args arguments = {.flags = flags | (group < 0 ? 0 : CLONE_INTO_CGROUP),
                                   .exit_signal = SIGCHLD,
                                   .cgroup = group < 0 ? 0 : (uint64_t)group};
    return must(syscall(SYS_clone3, &arguments, sizeof arguments), "clone3");
}

/* --- rtnetlink --- */

struct message {
    struct nlmsghdr head;
    uint8_t body[508];
};

static void *add(struct message *message, int type, const void *bytes, size_t size)
{
    struct rtattr *at = (void *)((uint8_t *)message + NLMSG_ALIGN(message->head.nlmsg_len));
    at->rta_type = (unsigned short)type;
    at->rta_len = (unsigned short)RTA_LENGTH(size);
    if (size > 0)
        memcpy(RTA_DATA(at), bytes, size);
    message->head.nlmsg_len = NLMSG_ALIGN(message->head.nlmsg_len) + RTA_ALIGN(at->rta_len);
    return at;
}

static void end(const struct message *message, void *nest)
{
    struct rtattr *at = nest;
    at->rta_len = (unsigned short)((uint8_t *)message + message->head.nlmsg_len - (uint8_t *)nest);
}

static struct message begin(uint16_t type, uint16_t flags, const void *body, size_t size)
{
    struct message message = {.head = {.nlmsg_len = NLMSG_LENGTH(size), .nlmsg_type = type,
                                       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags}};
    memcpy(message.body, body, size);
    return message;
}

static void ask(int fd, struct message *message, const char *what)
{
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
        uint8_t rest[1024];
    } answer;
    must(send(fd, message, message->head.nlmsg_len, 0), what);
    must(recv(fd, &answer, sizeof answer, 0), what);
    errno = -answer.error.error;
    must(answer.error.error, what);
}

static void make_link(const char *name, int net)
{
    struct ifinfomsg info = {0};
    struct message message = begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof info);
    add(&message, IFLA_IFNAME, name, strlen(name) + 1);
    void *link = add(&message, IFLA_LINKINFO, NULL, 0);
    add(&message, IFLA_INFO_KIND, "veth", 5);
    void *kind = add(&message, IFLA_INFO_DATA, NULL, 0);
    void *peer = add(&message, VETH_INFO_PEER, NULL, 0);
    memset((uint8_t *)&message + message.head.nlmsg_len, 0, sizeof info);
    message.head.nlmsg_len += sizeof info;
    add(&message, IFLA_IFNAME, "eth0", 5);
    add(&message, IFLA_NET_NS_FD, &net, sizeof net);
    end(&message, peer);
    end(&message, kind);
    end(&message, link);
    ask(netlink, &message, "veth");
}

static void link_up(int fd, const char *name)
{
    struct ifinfomsg info = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct message message = begin(RTM_NEWLINK, 0, &info, sizeof info);
    add(&message, IFLA_IFNAME, name, strlen(name) + 1);
    ask(fd, &message, name);
}

static void add_address(int fd, unsigned int link, uint32_t address)
{
    struct ifaddrmsg info = {.ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = link};
    struct message message = begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &info, sizeof info);
    add(&message, IFA_LOCAL, &address, sizeof address);
    ask(fd, &message, "address");
}

static void add_route(int fd, unsigned int link, struct rtmsg info, const uint32_t to[2])
{
    struct message message = begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &info, sizeof info);
    if (info.rtm_dst_len > 0)
        add(&message, RTA_DST, &to[0], sizeof to[0]);
    if (to[1] != 0)
        add(&message, RTA_GATEWAY, &to[1], sizeof to[1]);
    add(&message, RTA_OIF, &link, sizeof link);
    ask(fd, &message, "route");
}

static struct rtmsg route(unsigned char prefix, unsigned char scope)
{
    return (struct rtmsg){.rtm_family = AF_INET, .rtm_dst_len = prefix, .rtm_table = RT_TABLE_MAIN,
                          .rtm_protocol = RTPROT_STATIC, .rtm_scope = scope,
                          .rtm_type = RTN_UNICAST};
}

static int open_netlink(void)
{
    return must(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), "netlink");
}

static uint32_t pod_address(unsigned int number)
{
    return htonl(0x0a000000U | (number & 0xffffffU));
}

/* --- a pod: its namespaces, and its link --- */

static void address_pod(int fd, unsigned int number)
{
    const uint32_t gateway = inet_addr("169.254.1.1");
    unsigned int link = if_nametoindex("eth0");
    link_up(fd, "eth0");
    add_address(fd, link, pod_address(number));
    add_route(fd, link, route(32, RT_SCOPE_LINK), (uint32_t[]){gateway, 0});
    add_route(fd, link, route(0, RT_SCOPE_UNIVERSE), (uint32_t[]){0, gateway});
}

static _Noreturn void hold(int parent, bool linked, unsigned int number)
{
    char go;
    must(read(parent, &go, 1), "maps");
    must(unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS), "unshare");
    must(sethostname("floor", 5), "sethostname");
    int fd = open_netlink();
    link_up(fd, "lo");
    must(write(parent, "", 1), "parent");
    must(read(parent, &go, 1), "link");
    if (linked)
        address_pod(fd, number);
    must(write(parent, "", 1), "parent");
    pause();
    _exit(0);
}

static void link_pod(const struct spaces *spaces, unsigned int number)
{
    const char *name = text("floor%u", number);
    make_link(name, spaces->fd[1]);
    unsigned int index = if_nametoindex(name);
    link_up(netlink, name);
    add_address(netlink, index, inet_addr("169.254.1.1"));
    add_route(netlink, index, route(32, RT_SCOPE_LINK), (uint32_t[]){pod_address(number), 0});
}

static struct spaces make_pod(bool linked, unsigned int number)
{
    struct spaces spaces;
    int pair[2];
    char done;
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), "socketpair");
    pid_t pid = clone_with(CLONE_NEWUSER, -1);
    if (pid == 0)
        hold(pair[1], linked, number);
    const char *map = text("0 %d %d\n", FIRST_ID, IDS);
    put(text("/proc/%d/uid_map", pid), map);
    put(text("/proc/%d/gid_map", pid), map);
    must(write(pair[0], "", 1), "holder");
    must(read(pair[0], &done, 1), "holder");
    for (int i = 0; i < SPACES; i++)
        spaces.fd[i] =
            must(open(text("/proc/%d/ns/%s", pid, space_names[i]), O_RDONLY | O_CLOEXEC), "ns");
    if (linked)
        link_pod(&spaces, number);
    must(write(pair[0], "", 1), "holder");
    must(read(pair[0], &done, 1), "holder");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(pair[0]);
    close(pair[1]);
    return spaces;
}

/* --- a container, from inside --- */

static void bind_at(const char *from, const char *to, uint64_t attributes, int user)
{
    struct mount_attr wanted = {.attr_set = attributes, .userns_fd = (uint64_t)user};
    int tree = must(open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), from);
    must(mount_setattr(tree, "", AT_EMPTY_PATH, &wanted, sizeof wanted), "mount_setattr");
    must(move_mount(tree, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH), to);
    close(tree);
}

static void make_node(const char *path, unsigned int major, unsigned int minor)
{
    must(mknod(path, S_IFCHR | 0666, makedev(major, minor)), path);
    must(chown(path, FIRST_ID, FIRST_ID), path);
}

static void mount_system(void)
{
    const unsigned long hidden = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    must(mount("proc", "proc", "proc", hidden, ""), "proc");
    must(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=65536k"), "dev");
    for (int i = 0; i < 3; i++)
        must(mkdir((const char *[]){"dev/pts", "dev/shm", "dev/mqueue"}[i], 0755), "dev");
    must(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
               "newinstance,ptmxmode=0666,mode=0620"), "pts");
    must(mount("tmpfs", "dev/shm", "tmpfs", hidden, "mode=1777,size=64m"), "shm");
    must(mount("mqueue", "dev/mqueue", "mqueue", hidden, ""), "mqueue");
    must(mount("sysfs", "sys", "sysfs", hidden | MS_RDONLY, ""), "sysfs");
    must(mount("tmpfs", "sys/fs/cgroup", "tmpfs", hidden, "mode=755,size=64k"), "cgroups");
}

static void fill_dev(void)
{
    static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},
                                           {"/proc/self/fd/0", "dev/stdin"},
                                           {"/proc/self/fd/1", "dev/stdout"},
                                           {"/proc/self/fd/2", "dev/stderr"},
                                           {"pts/ptmx", "dev/ptmx"}};
    make_node("dev/null", 1, 3);
    make_node("dev/zero", 1, 5);
    make_node("dev/full", 1, 7);
    make_node("dev/random", 1, 8);
    make_node("dev/urandom", 1, 9);
    make_node("dev/tty", 5, 0);
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        must(symlink(links[i][0], links[i][1]), links[i][1]);
}

static void bind_groups(char *const *paths)
{
    for (int i = 0; i < group_count; i++) {
        const char *to = text("sys/fs/cgroup/%d", i);
        must(mkdir(to, 0755), to);
        bind_at(paths[i], to, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, -1);
    }
}

static void hide_paths(void)
{
    struct stat found;
    for (size_t i = 0; i < sizeof masked / sizeof masked[0]; i++) {
        if (stat(masked[i], &found) < 0)
            continue;
        if (S_ISDIR(found.st_mode))
            must(mount("tmpfs", masked[i], "tmpfs", MS_RDONLY, "nr_inodes=1"), masked[i]);
        else
            bind_at("/dev/null", masked[i], 0, -1);
    }
    for (size_t i = 0; i < sizeof read_only / sizeof read_only[0]; i++)
        if (stat(read_only[i], &found) == 0)
            bind_at(read_only[i], read_only[i], MOUNT_ATTR_RDONLY, -1);
}

static void make_root(const struct spaces *spaces, const char *directory, char *const *paths)
{
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
    must(chdir(directory), directory);
    bind_at(layer, "lower", MOUNT_ATTR_IDMAP, spaces->fd[0]);
    must(mount("overlay", "root", "overlay", MS_NODEV,
               "lowerdir=lower,upperdir=upper,workdir=work"), "overlay");
    must(chdir("root"), "root");
    mount_system();
    fill_dev();
    bind_groups(paths);
    hide_paths();
    must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    must(umount2(".", MNT_DETACH), "umount");
    must(chdir("/"), "chdir");
}

static void give_up_rights(const struct spaces *spaces)
{
    const uint64_t keep = 0xa80425fbULL; /* the fourteen of docker */
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct halves[2] = {
        {.effective = (uint32_t)keep, .permitted = (uint32_t)keep}};
    must(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL), "keyctl");
    must(setsid(), "setsid");
    must(setns(spaces->fd[0], CLONE_NEWUSER), "user namespace");
    for (unsigned long bit = 0; prctl(PR_CAPBSET_READ, bit, 0, 0, 0) >= 0; bit++)
        if ((keep >> bit & 1) == 0)
            must(prctl(PR_CAPBSET_DROP, bit, 0, 0, 0), "capbset");
    must(setgroups(0, NULL), "setgroups");
    must(setresgid(0, 0, 0), "setresgid");
    must(setresuid(0, 0, 0), "setresuid");
    must(syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC), "close_range");
    must(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "pdeathsig");
    must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), "seccomp");
    must(syscall(SYS_capset, &head, halves), "capset");
}

static _Noreturn void live(const struct spaces *spaces, const char *directory, char *const *paths)
{
    static const int kinds[SPACES] = {CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS};
    for (int i = 0; i < group_count && !into_group; i++)
        put(text("%s/cgroup.procs", paths[i]), "0");
    for (int i = 1; i < SPACES; i++)
        must(setns(spaces->fd[i], kinds[i]), space_names[i]);
    must(unshare(CLONE_NEWCGROUP), "cgroup namespace");
    make_root(spaces, directory, paths);
    give_up_rights(spaces);
    execve("/true", (char *[]){(char *)(uintptr_t) "true", NULL}, (char *[]){NULL});
    die("/true");
}

/* --- and from outside --- */

struct times {
    uint64_t started, exited, deleted;
};

static void make_directories(char *directory, char **paths, unsigned int number)
{
    snprintf(directory, PATH_MAX, "%s/%u", work, number);
    must(mkdir(directory, 0700), directory);
    for (int i = 0; i < 4; i++)
        must(mkdir(text("%s/%s", directory,
                        (const char *[]){"lower", "upper", "work", "root"}[i]), 0755), directory);
    must(chown(text("%s/upper", directory), FIRST_ID, FIRST_ID), "upper");
    for (int i = 0; i < group_count; i++) {
        must(asprintf(&paths[i], "%s/%u", groups[i], number), "group");
        must(mkdir(paths[i], 0755), paths[i]);
    }
}

static void remove_directories(const char *directory, char **paths)
{
    static const char *const names[] = {"/work/work", "/work", "/lower", "/upper", "/root", ""};
    for (int i = 0; i < group_count; i++) {
        must(rmdir(paths[i]), paths[i]);
        free(paths[i]);
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        must(rmdir(text("%s%s", directory, names[i])), names[i]);
}

static pid_t start(const struct spaces *spaces, const char *directory, char *const *paths)
{
    int alive[2];
    char nothing;
    must(pipe2(alive, O_CLOEXEC), "pipe");
    int group = into_group ? must(open(paths[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC), "group") : -1;
    pid_t pid = clone_with(CLONE_NEWNS | CLONE_NEWPID, group);
    if (pid == 0)
        live(spaces, directory, paths);
    close(alive[1]);
    must(read(alive[0], &nothing, 1), "exec");
    close(alive[0]);
    if (group >= 0)
        close(group);
    return pid;
}

static void await_success(pid_t pid)
{
    int status;
    must(waitpid(pid, &status, 0), "waitpid");
    if (status != 0) {
        fprintf(stderr, "floor: a process ended with status %x\n", (unsigned int)status);
        _exit(1);
    }
}

static struct times run(bool own_pod, unsigned int number, const struct spaces *shared)
{
    char directory[PATH_MAX];
    char *paths[MAX_GROUPS];
    struct times times;
    uint64_t begun = now();
    struct spaces spaces = own_pod ? make_pod(true, number) : *shared;
    make_directories(directory, paths, number);
    pid_t pid = start(&spaces, directory, paths);
    times.started = now() - begun;
    await_success(pid);
    times.exited = now() - begun;
    remove_directories(directory, paths);
    for (int i = 0; i < SPACES && own_pod; i++)
        close(spaces.fd[i]);
    times.deleted = now() - begun;
    return times;
}

/* --- runtimes that are programs --- */

static pid_t spawn(char *const *argv)
{
    pid_t pid = vfork();
    if (pid == 0) {
        dup2(2, 1);
        execv(argv[0], argv);
        _exit(127);
    }
    return must(pid, "vfork");
}

static pid_t read_pid(const char *path)
{
    char digits[16] = "";
    int fd = must(open(path, O_RDONLY | O_CLOEXEC), path);
    must(read(fd, digits, sizeof digits - 1), path);
    close(fd);
    return atoi(digits);
}

/* The container's first process becomes a child of this one, which is a subreaper. */
static struct times run_peer(char *path, char *root, char *bundle, char *id)
{
    char pid_file[PATH_MAX];
    struct times times;
    uint64_t begun = now();
    snprintf(pid_file, sizeof pid_file, "%s/%s.pid", root, id);
    await_success(spawn((char *[]){path, "--root", root, "create", "--bundle", bundle, "--pid-file",
                                   pid_file, id, NULL}));
    await_success(spawn((char *[]){path, "--root", root, "start", id, NULL}));
    times.started = now() - begun;
    await_success(read_pid(pid_file));
    times.exited = now() - begun;
    await_success(spawn((char *[]){path, "--root", root, "delete", id, NULL}));
    times.deleted = now() - begun;
    unlink(pid_file);
    return times;
}

/* --- many at once --- */

static void await_any(void)
{
    int status;
    must(wait(&status), "wait");
    if (status != 0)
        die("one of many");
}

static uint64_t burst(bool own_pod, unsigned int count, unsigned int at_once,
                      const struct spaces *shared)
{
    uint64_t begun = now();
    for (unsigned int i = 0; i < count; i++) {
        if (i >= at_once)
            await_any();
        unsigned int number = rounds++;
        if (must(fork(), "fork") == 0) {
            netlink = open_netlink();
            run(own_pod, number, shared);
            _exit(0);
        }
    }
    for (unsigned int i = 0; i < count && i < at_once; i++)
        await_any();
    return now() - begun;
}

static uint64_t burst_of_peers(char *path, char *root, char *bundle, unsigned int sizes[2])
{
    uint64_t begun = now();
    for (unsigned int i = 0; i < sizes[0]; i++) {
        char id[32];
        if (i >= sizes[1])
            await_any();
        snprintf(id, sizeof id, "many%u", rounds++);
        if (must(fork(), "fork") == 0) {
            must(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "subreaper");
            run_peer(path, root, bundle, id);
            _exit(0);
        }
    }
    for (unsigned int i = 0; i < sizes[0] && i < sizes[1]; i++)
        await_any();
    return now() - begun;
}

static void answer(struct times times)
{
    printf("%lu %lu %lu\n", times.started, times.exited, times.deleted);
}

static void handle(char *line, const struct spaces *shared)
{
    char kind[16], path[512], root[512], bundle[512], id[64];
    unsigned int sizes[2];
    if (sscanf(line, "peers %511s %511s %511s %u %u", path, root, bundle, &sizes[0],
               &sizes[1]) == 5)
        printf("%lu\n", burst_of_peers(path, root, bundle, sizes));
    else if (sscanf(line, "peer %511s %511s %511s %63s", path, root, bundle, id) == 4)
        answer(run_peer(path, root, bundle, id));
    else if (sscanf(line, "burst %15s %u %u", kind, &sizes[0], &sizes[1]) == 3)
        printf("%lu\n", burst(strcmp(kind, "pod") == 0, sizes[0], sizes[1], shared));
    else
        answer(run(strcmp(line, "pod\n") == 0, rounds++, shared));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char line[4096];
    if (argc < 4)
        return 64;
    work = argv[1];
    layer = argv[2];
    int fd = must(open(argv[3], O_RDONLY | O_CLOEXEC), argv[3]);
    size_t bytes = (size_t)must(read(fd, filter, sizeof filter), argv[3]);
    program.len = (unsigned short)(bytes / sizeof filter[0]);
    close(fd);
    for (int i = 4; i < argc && group_count < MAX_GROUPS; i++) {
        into_group = strncmp(argv[i], "into:", 5) == 0;
        groups[group_count++] = argv[i] + (into_group ? 5 : 0);
    }
    must(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "subreaper");
    umask(0);
    netlink = open_netlink();
    struct spaces shared = make_pod(false, 0);
    while (fgets(line, sizeof line, stdin) != NULL)
        handle(line, &shared);
    return 0;
}
