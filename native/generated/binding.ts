// Code generated from orc.h by `make generate`. DO NOT EDIT.

export const limits = {
  PROTOCOL: 3,
  OPERATIONS: 3,
  MAX_FRAME: 4194304,
  MAX_INPUT: 65536,
  MAX_NAME: 127,
  STAGE_SIZE: 24,
} as const;

export const frameType = {
  LAUNCH: 1,
  LAUNCHED: 2,
  HELLO: 3,
  DONE: 4,
  FAILED: 5,
  EXITED: 6,
  RUN: 8,
  START: 9,
  EXEC: 10,
  KILL: 11,
  LIST: 12,
  FORGET: 13,
  SHUTDOWN: 14,
  INPUT: 15,
  INPUT_END: 16,
  RESIZE: 17,
  ATTACH: 18,
  OUTPUT: 19,
  ERRORS: 20,
  SYNC: 21,
  CONTINUE: 22,
} as const;

export const opKind = {
  ARGUMENTS: 0,
  SET_ROOT: 1,
  MKDIR: 2,
  SYMLINK: 3,
  MKNOD: 4,
  WRITE: 5,
  MOUNT: 6,
  BIND: 7,
  MASK: 8,
  PIVOT_ROOT: 12,
  CHDIR: 13,
  JOIN: 14,
  ENTER_CONTAINER: 15,
  UNSHARE: 16,
  NEW_SESSION: 22,
  NEW_KEYRING: 23,
  UMASK: 24,
  SET_IDS: 25,
  DROP_BOUNDING: 26,
  SET_CAPS: 27,
  NO_NEW_PRIVS: 28,
  SECCOMP: 29,
  EXEC: 30,
  TERMINAL: 32,
  DIAL: 33,
  OPEN_SPACE: 34,
  NEW_USER: 35,
  HOLD: 36,
  FORK: 37,
  NAMES: 38,
  SETTING: 39,
  SET_MOUNT: 40,
  NETLINK: 41,
  SYNC: 42,
  SPAWN: 43,
  ADOPT: 44,
} as const;

export const recordFlag = {
  IN_ROOT: 1,
  CREATE: 2,
  OPTIONAL: 4,
  RECURSIVE: 8,
  IDMAP: 16,
  TERMINAL: 32,
  INPUT: 128,
  INPUT_ONCE: 256,
  PROC: 512,
  CONSOLE: 1024,
  COPY_UP: 2048,
} as const;

export const space = {
  USER: 0,
  NETWORK: 1,
  IPC: 2,
  UTS: 3,
  MOUNT: 4,
  PID: 5,
  CGROUP: 6,
  TIME: 7,
  COUNT: 16,
  FD: 10,
} as const;

export const setting = {
  RLIMIT: 0,
  SCHEDULER: 1,
  IO_PRIORITY: 2,
  AFFINITY: 3,
  PERSONALITY: 4,
} as const;

/** Bytes of the fixed structures: orc_frame and so on. */
export const sizeOf = {
  frame: 16,
  list: 8,
  text: 8,
  record: 88,
  hello: 16,
  failure: 32,
  state: 160,
} as const;
