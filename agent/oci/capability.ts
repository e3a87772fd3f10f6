import { OciError } from './oci-error.ts';

/** Without CAP_, in the order of their numbers: linux/capability.h. */
export const allCapabilities: readonly string[] = `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID
  KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW
  IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT
  SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP
  MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF
  CHECKPOINT_RESTORE`.split(/\s+/);

export const capabilityBit = (name: string): bigint => 1n << BigInt(allCapabilities.indexOf(name));

/** Of names as config.json has them: CAP_CHOWN. Throws OciError. */
export const capabilityMask = (names: readonly string[] = [], field = ''): bigint =>
  names.reduce((mask, full) => {
    const name = full.replace(/^CAP_/, '');
    if (full === name || !allCapabilities.includes(name))
      throw new OciError(field, 'invalid', `no capability "${full}"`);
    return mask | capabilityBit(name);
  }, 0n);
