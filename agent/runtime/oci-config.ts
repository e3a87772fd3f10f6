import type { SandboxNamespace } from '../kernel/op.ts';

/**
 * The part of an OCI runtime-spec 1.3 `config.json` that a pod can lead to, with the spec's names. Ids are the
 * container's own, except where a comment says host.
 */
export interface OciConfig {
  readonly process: OciProcess;
  readonly root: { readonly readonly: boolean };
  readonly hostname: string;
  readonly mounts: readonly OciMount[];
  readonly linux: {
    /** undefined: the host's user namespace. */
    readonly uidMappings: OciIdMapping | undefined;
    readonly joins: readonly SandboxNamespace[];
    readonly devices: readonly OciDevice[];
    readonly seccomp: 'RuntimeDefault' | 'Unconfined';
    readonly maskedPaths: readonly string[];
    readonly readonlyPaths: readonly string[];
  };
}

/** Both for uids and gids; containerID is 0. */
interface OciIdMapping {
  readonly hostID: number;
  readonly size: number;
}

export interface OciProcess {
  readonly terminal: boolean;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: OciUser;
  /** Bounding, permitted and effective; inheritable and ambient are always empty (CVE-2022-29162). */
  readonly capabilities: readonly Capability[];
  readonly noNewPrivileges: boolean;
}

export interface OciUser {
  readonly uid: number;
  readonly gid: number;
  /** With the primary group, so that files that exclude it by group stay excluded (CVE-2022-36109). */
  readonly additionalGids: readonly number[];
}

export type OciMount =
  | {
      readonly type: 'proc' | 'sysfs' | 'tmpfs' | 'devpts' | 'mqueue';
      readonly destination: string;
      readonly options: readonly OciMountOption[];
      /** File system options; ids in them are host ids. */
      readonly fsOptions: string;
    }
  | {
      readonly type: 'bind';
      readonly destination: string;
      readonly source: string;
      /** Relative to the source, "" for all of it; no link in it leads out of the source. */
      readonly subPath: string;
      readonly options: readonly OciMountOption[];
    };

type OciMountOption = 'ro' | 'nosuid' | 'nodev' | 'noexec';

export interface OciDevice {
  readonly path: string;
  readonly major: number;
  readonly minor: number;
}

export type Capability = keyof typeof capabilityBits;

/** Names without CAP_, numbers as in linux/capability.h. */
export const capabilityBits = {
  CHOWN: 0,
  DAC_OVERRIDE: 1,
  DAC_READ_SEARCH: 2,
  FOWNER: 3,
  FSETID: 4,
  KILL: 5,
  SETGID: 6,
  SETUID: 7,
  SETPCAP: 8,
  LINUX_IMMUTABLE: 9,
  NET_BIND_SERVICE: 10,
  NET_BROADCAST: 11,
  NET_ADMIN: 12,
  NET_RAW: 13,
  IPC_LOCK: 14,
  IPC_OWNER: 15,
  SYS_MODULE: 16,
  SYS_RAWIO: 17,
  SYS_CHROOT: 18,
  SYS_PTRACE: 19,
  SYS_PACCT: 20,
  SYS_ADMIN: 21,
  SYS_BOOT: 22,
  SYS_NICE: 23,
  SYS_RESOURCE: 24,
  SYS_TIME: 25,
  SYS_TTY_CONFIG: 26,
  MKNOD: 27,
  LEASE: 28,
  AUDIT_WRITE: 29,
  AUDIT_CONTROL: 30,
  SETFCAP: 31,
  MAC_OVERRIDE: 32,
  MAC_ADMIN: 33,
  SYSLOG: 34,
  WAKE_ALARM: 35,
  BLOCK_SUSPEND: 36,
  AUDIT_READ: 37,
  PERFMON: 38,
  BPF: 39,
  CHECKPOINT_RESTORE: 40,
} as const;
