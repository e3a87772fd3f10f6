import { seccompWords } from '../kernel/seccomp.ts';
import { allCapabilities } from './capability.ts';
import { knownMountOptions } from './mount-options.ts';
import { ociNamespaceTypes, ociVersions } from './oci-spec.ts';
import { memoryFlags, memoryModes } from './plan-process.ts';

/** features.md and features-linux.md of the runtime specification: what of it this runtime can do. */
export const features = () => ({
  ociVersionMin: ociVersions.min,
  ociVersionMax: ociVersions.max,
  hooks: 'prestart createRuntime createContainer startContainer poststart poststop'.split(' '),
  mountOptions: knownMountOptions(),
  linux: {
    namespaces: ociNamespaceTypes,
    capabilities: allCapabilities.map((name) => `CAP_${name}`),
    cgroup: { v1: true, v2: true, systemd: false, systemdUser: false, rdma: true },
    seccomp: {
      enabled: true,
      actions: seccompWords.actions,
      operators: seccompWords.comparisons.filter(Boolean),
      archs: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM', 'SCMP_ARCH_X86', 'SCMP_ARCH_X86_64'],
    },
    apparmor: { enabled: true },
    selinux: { enabled: true },
    intelRdt: { enabled: false },
    memoryPolicy: {
      modes: memoryModes.map((name) => `MPOL_${name}`),
      flags: memoryFlags.map((name) => `MPOL_F_${name}`),
    },
    mountExtensions: { idmap: { enabled: true } },
    netDevices: { enabled: true },
  },
  potentiallyUnsafeConfigAnnotations: [],
});
