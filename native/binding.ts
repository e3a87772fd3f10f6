/**
 * The names and numbers of orc.h, in its order; test/tidy/native-header.test.ts holds the two
 * against each other. Everything that TypeScript and the C program say to one another is encoded with these.
 */
export const limits = {
  PROTOCOL: 2,
  MAX_FRAME: 4_194_304,
  MAX_INPUT: 65_536,
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
  SANDBOX: 7,
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
  READ_ONLY: 9,
  MAKE_PRIVATE: 11,
  PIVOT_ROOT: 12,
  CHDIR: 13,
  JOIN: 14,
  ENTER_CONTAINER: 15,
  UNSHARE: 16,
  LINK_UP: 18,
  ADD_ADDRESS: 19,
  ADD_ROUTE: 20,
  NEW_SESSION: 22,
  NEW_KEYRING: 23,
  UMASK: 24,
  SET_IDS: 25,
  DROP_BOUNDING: 26,
  SET_CAPS: 27,
  NO_NEW_PRIVS: 28,
  SECCOMP: 29,
  EXEC: 30,
  READ_ONLY_ROOT: 31,
  TERMINAL: 32,
  DIAL: 33,
} as const;

export const recordFlag = {
  IN_ROOT: 1,
  CREATE: 2,
  IDMAP: 16,
  TERMINAL: 32,
  GATEWAY: 64,
  INPUT: 128,
  INPUT_ONCE: 256,
} as const;

export const mountFlag = {
  RO: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
} as const;

export const space = {
  USER: 0,
  NETWORK: 1,
  IPC: 2,
  UTS: 3,
  FD: 10,
} as const;

/** Bytes of the fixed structures: orc_frame, orc_list, orc_record and so on. */
export const sizeOf = {
  frame: 16,
  list: 8,
  record: 88,
  hello: 16,
  failure: 32,
  state: 160,
} as const;
