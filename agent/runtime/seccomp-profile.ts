import { constants } from 'node:os';
import type { LinuxSeccomp } from '../oci/oci-spec.ts';

const { EPERM, ENOSYS } = constants.errno;

/**
 * RuntimeDefault: what docker and containerd allow by default, by purpose. What is older than this table and refused
 * fails with EPERM; what is newer fails with ENOSYS, so that a C library falls back to what it did before.
 */
export function seccompProfile(
  capabilities: readonly string[],
  processor: NodeJS.Architecture,
): LinuxSeccomp {
  const isHeld = (name: string) => capabilities.some((held) => held.replace('CAP_', '') === name);
  const entries = Object.entries(byCapability);
  const extra = new Set(entries.flatMap(([name, calls]) => (isHeld(name) ? calls : [])));
  const denied = entries.flatMap(([, calls]) => calls.filter((name) => !extra.has(name)));
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: ENOSYS,
    architectures: [processor === 'arm64' ? 'SCMP_ARCH_ARM' : 'SCMP_ARCH_X86'],
    syscalls: [
      { names: [...words(ordinary), ...extra], ...allowed },
      ...(isHeld('SYS_ADMIN') ? [{ names: ['clone', 'clone3'], ...allowed }] : cloneRules),
      { names: ['personality'], ...allowed, args: personalities.map((is) => arg('EQ', is)) },
      { names: ['socket'], ...allowed, args: [arg('NE', AF_VSOCK)] },
      { names: [...new Set([...words(refused), ...denied])], ...failing(EPERM) },
    ],
  };
}

const allowed = { action: 'SCMP_ACT_ALLOW' } as const;
const failing = (errno: number) => ({ action: 'SCMP_ACT_ERRNO', errnoRet: errno }) as const;
const arg = (op: 'EQ' | 'NE', value: number) =>
  ({ index: 0, op: `SCMP_CMP_${op}`, value }) as const;

const AF_VSOCK = 40;

/** CLONE_NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET, NEWNS: no new namespaces. */
const NEW_NAMESPACES = 0x7e020000;

/** clone3 takes its flags from memory, where a filter can't look: ENOSYS makes the C library use clone. */
const cloneRules = [
  {
    names: ['clone'],
    ...allowed,
    args: [{ index: 0, op: 'SCMP_CMP_MASKED_EQ', value: NEW_NAMESPACES, valueTwo: 0 }],
  },
  { names: ['clone3'], ...failing(ENOSYS) },
] as const;

/** PER_LINUX, PER_LINUX32, with and without UNAME26, and "only tell": conditions on one argument are alternatives. */
const personalities = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

/** What a capability opens, because without it the call would be refused or misused. */
const byCapability: Readonly<Record<string, readonly string[]>> = {
  DAC_READ_SEARCH: ['open_by_handle_at'],
  SYS_ADMIN: words(`bpf fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount
    mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname
    sethostname setns syslog umount umount2 unshare`),
  SYS_BOOT: ['reboot'],
  SYS_CHROOT: ['chroot'],
  SYS_MODULE: words('delete_module init_module finit_module'),
  SYS_PACCT: ['acct'],
  SYS_PTRACE: words('kcmp pidfd_getfd process_madvise'),
  SYS_RAWIO: words('iopl ioperm'),
  SYS_TIME: words('settimeofday stime clock_settime clock_settime64'),
  SYS_TTY_CONFIG: ['vhangup'],
  SYS_NICE: words('get_mempolicy mbind set_mempolicy set_mempolicy_home_node'),
  SYSLOG: ['syslog'],
  BPF: ['bpf'],
  PERFMON: ['perf_event_open'],
};

/** Known, and refused whatever the capabilities: keys of the host, raw asynchronous I/O, other machines' code. */
const refused = `_sysctl add_key afs_syscall create_module get_kernel_syms getpmsg io_uring_enter
  io_uring_register io_uring_setup kexec_file_load kexec_load keyctl lock migrate_pages move_pages
  nfsservctl pivot_root putpmsg query_module request_key security swapoff swapon sysfs tuxcall
  userfaultfd uselib ustat vm86 vm86old vserver`;

const ordinary = `
  access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3
  epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
  epoll_wait_old eventfd eventfd2 faccessat faccessat2 fadvise64 fadvise64_64 fallocate
  fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64
  fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs
  fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 getxattr getxattrat
  inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy
  io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl lchown lchown32
  lgetxattr link linkat listmount listxattr listxattrat llistxattr _llseek lremovexattr lseek
  lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat
  openat2 pipe pipe2 poll ppoll ppoll_time64 pread64 preadv preadv2 pselect6 pselect6_time64
  pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr removexattrat
  rename renameat renameat2 rmdir select _newselect sendfile sendfile64 setxattr setxattrat
  splice stat stat64 statfs statfs64 statmount statx symlink symlinkat sync sync_file_range
  sync_file_range2 arm_sync_file_range syncfs tee truncate truncate64 umask unlink unlinkat
  utime utimensat utimensat_time64 utimes vmsplice write writev

  brk cachestat get_thread_area madvise map_shadow_stack memfd_create memfd_secret membarrier
  mincore mlock mlock2 mlockall mmap mmap2 modify_ldt mprotect mremap mseal msync munlock
  munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages
  set_thread_area

  arch_prctl capget capset execve execveat exit exit_group fork vfork get_robust_list
  set_robust_list getcpu getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups
  getgroups32 getpgid getpgrp getpid getppid getpriority getresgid getresgid32 getresuid
  getresuid32 getrlimit ugetrlimit getrusage getsid gettid getuid getuid32 ioprio_get ioprio_set
  landlock_add_rule landlock_create_ruleset landlock_restrict_self lsm_get_self_attr
  lsm_list_modules lsm_set_self_attr nice pidfd_open pidfd_send_signal prctl prlimit64
  process_vm_readv process_vm_writev ptrace restart_syscall rseq sched_getaffinity sched_getattr
  sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler
  sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr
  sched_setparam sched_setscheduler sched_yield seccomp setfsgid setfsgid32 setfsuid setfsuid32
  setgid setgid32 setgroups setgroups32 setpgid setpriority setregid setregid32 setresgid
  setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid set_tid_address setuid
  setuid32 sysinfo times uname uretprobe wait4 waitid waitpid

  alarm clock_adjtime clock_adjtime64 adjtimex clock_getres clock_getres_time64 clock_gettime
  clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep
  setitimer time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64
  timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime
  timerfd_settime64

  kill pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
  rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack signal
  signalfd signalfd4 sigpending sigprocmask sigaction sigreturn sigsuspend tgkill tkill

  futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake ipc mq_getsetattr mq_notify
  mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink
  msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl
  shmdt shmget

  accept accept4 bind connect getpeername getrandom getsockname getsockopt listen recv recvfrom
  recvmmsg recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall
  socketpair

  arm_fadvise64_64 breakpoint cacheflush set_tls`;

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}
