import type { Transfer } from '../api/node-images.ts';
import type { HostPort } from '../api/pod-facts.ts';
import type { Op } from './kernel/op.ts';
import type { ExecSession } from './kernel/shim.ts';

/**
 * The node's five ports: everything that `pods/` does to the outside world. Each has a real implementation in the
 * folder of its name and a fake beside its contract suite in test/contract; both pass the suite.
 *
 * `ensure*` and `remove*` are idempotent: repeating one after a crash at any point ends in the same state.
 */
export interface NodePorts {
  readonly images: ImagePort;
  readonly sandboxes: SandboxPort;
  readonly containers: ContainerPort;
  readonly volumes: VolumePort;
  readonly network: NetworkPort;
}

// ── images ──────────────────────────────────────────────────────────────────────────────────────

export interface ImagePort {
  /** The image if every layer of it is on this node, without asking any registry. Tags as last resolved. */
  find(reference: string): Promise<Image | undefined>;
  /** Resolves the reference at its registry, downloads, verifies and unpacks what is missing. Throws ImageError. */
  pull(request: PullRequest, signal: AbortSignal): Promise<Image>;
  /** Those pulled last come last. */
  list(): Promise<readonly ListedImage[]>;
  /** Nothing happens if it was found or pulled since (milliseconds since 1970). Layers that others share stay. */
  remove(id: string, unusedSinceMs: number): Promise<void>;
  /** Removes compressed layers whose images are unpacked: only who exports or checks them misses them. Says how many. */
  dropLayerBlobs(): Promise<number>;
}

export interface ListedImage extends Image {
  /** When it was last found or pulled; at the earliest when this agent started. */
  readonly lastUsedMs: number;
  /** It stays until somebody removes it by hand. */
  readonly isPinned: boolean;
}

export interface PullRequest {
  readonly reference: string;
  readonly credentials: readonly RegistryCredential[];
  readonly onProgress: (progress: PullProgress) => void;
}

/** One entry of a dockerconfigjson Secret. */
export type RegistryCredential = Readonly<{ registry: string; username: string; password: string }>;

export interface PullProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Lowest first. */
  readonly layers: readonly Transfer[];
}

export interface Image {
  /** Digest of the image's configuration: Kubernetes' image ID. */
  readonly id: string;
  /** Digest of the manifest that was pulled. */
  readonly digest: string;
  /** Every reference that led here, as users wrote it. */
  readonly references: readonly string[];
  readonly sizeBytes: number;
  /** Unpacked layer directories, lowest first; owned by real root, never written to again. */
  readonly layers: readonly string[];
  readonly config: ImageConfig;
}

/** What matters of an image's configuration. OCI image-spec, config.md. */
export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: readonly string[];
  readonly workingDir: string;
  /** "", "uid", "uid:gid", "name" or "name:group". */
  readonly user: string;
  readonly volumes: readonly string[];
  readonly stopSignal: string | undefined;
}

// ── sandboxes ───────────────────────────────────────────────────────────────────────────────────

export interface SandboxPort {
  /**
   * Shim, cgroup, namespaces. The pod's own network namespace is there but not yet connected. Called again it brings
   * the hosts and resolv.conf files up to date (in place: containers have them mounted).
   */
  ensure(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox>;
  /** One pod's, without looking at the others. */
  find(uid: string): Promise<Sandbox | undefined>;
  /** Every sandbox on this node, found again after a restart of the agent; a lost shim's too. */
  list(): Promise<readonly Sandbox[]>;
  /** Runs operations in a short-lived process that has joined the pod's network namespace (as its root). */
  runInNetwork(uid: string, ops: readonly Op[]): Promise<void>;
  /** A TCP connection to 127.0.0.1:port there; `exited` rejects with SandboxError(ConnectionRefused) if nobody listens. */
  dial(uid: string, port: number): Promise<ExecSession>;
  /** Kills what runs, removes namespaces, mounts, cgroup and the pod's directories. */
  remove(uid: string): Promise<void>;
}

export interface SandboxSpec {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly hostname: string;
  /** undefined: the pod shares the host's user namespace (hostUsers: true). */
  readonly userNamespace: UserNamespaceRange | undefined;
  readonly hostNetwork: boolean;
  /** Of its RuntimeClass; undefined: orc's own runtime. */
  readonly runtimeHandler?: string | undefined;
  /** Limits of the pod as a whole: sums of its containers' limits; undefined where one has none. */
  readonly resources: CgroupResources;
  /** Files the agent writes for the pod. */
  readonly resolvConf: string;
  readonly hosts: string;
}

export type UserNamespaceRange = Readonly<{ firstId: number; size: number }>;

export interface Sandbox {
  readonly uid: string;
  /** lost: its shim is dead; only `remove` makes sense. */
  readonly state: 'ready' | 'lost';
  /** A path that opens the pod's network namespace (/proc/SHIM/fd/N). undefined with hostNetwork or when lost. */
  readonly networkNamespace: string | undefined;
  readonly userNamespace: UserNamespaceRange | undefined;
}

/** Kubernetes' units turned into the kernel's. undefined: no limit. */
export interface CgroupResources {
  /** cpu.requests in thousandths of a core: the weight. */
  readonly cpuRequestMilli: number | undefined;
  readonly cpuLimitMilli: number | undefined;
  readonly memoryLimitBytes: number | undefined;
  readonly pidsLimit: number | undefined;
}

// ── containers ──────────────────────────────────────────────────────────────────────────────────

export interface ContainerPort {
  /** Makes the root file system and starts the process. Throws ContainerError; then nothing of it is left running. */
  start(spec: ContainerSpec, signal: AbortSignal): Promise<void>;
  /** Signals the first process; unknown or ended: no effect. */
  kill(id: ContainerId, signal: number): Promise<void>;
  /** Every container of the pod that was started and not removed, running and ended, older attempts first. */
  list(uid: string): Promise<readonly Container[]>;
  /** Removes an ended container's root file system, cgroup, record and logs. */
  remove(id: ContainerId): Promise<void>;
  exec(id: ContainerId, request: ContainerExec): Promise<ExecSession>;
  /** The first process: its output from now on, to any number of clients, and its end. Closing lets go of it. */
  attach(id: ContainerId, stdin: boolean): Promise<ExecSession>;
  /** Called with the pod's uid whenever something there may have changed (an exit, a lost shim). */
  onChange(listener: (uid: string) => void): void;
}

export interface ContainerId {
  readonly uid: string;
  /** The container's name in the pod. */
  readonly name: string;
  /** Counts restarts: 0 for the first start. */
  readonly attempt: number;
}

export interface ContainerSpec {
  readonly id: ContainerId;
  readonly image: Image;
  /** A running container of the pod, into whose pid namespace this one is born. */
  readonly besides?: ContainerId | undefined;
  /** As in the pod: undefined falls back to the image's. */
  readonly command: readonly string[] | undefined;
  readonly args: readonly string[] | undefined;
  /** Complete, "NAME=value", already expanded; the image's come first and are overridden by name. */
  readonly env: readonly string[];
  readonly workingDir: string | undefined;
  readonly mounts: readonly ContainerMount[];
  readonly resources: CgroupResources;
  readonly security: ContainerSecurity;
  readonly logPath: string;
  readonly terminal: boolean;
  /** Standard input: /dev/null, open to whoever attaches, or open until the first who attached has gone. */
  readonly stdin: 'none' | 'open' | 'once';
}

export interface ContainerMount {
  /** As VolumePort.ensure returned it. */
  readonly source: VolumeSource;
  readonly mountPath: string;
  /** Relative path inside the volume, "" for all of it; resolved so that no link leads outside. */
  readonly subPath: string;
  readonly readOnly: boolean;
}

export interface ContainerSecurity {
  readonly privileged: boolean;
  readonly runAsUser: number | undefined;
  readonly runAsGroup: number | undefined;
  readonly runAsNonRoot: boolean;
  readonly supplementalGroups: readonly number[];
  readonly fsGroup: number | undefined;
  /** CAP_ names without the prefix; "ALL" is allowed. */
  readonly capabilitiesAdd: readonly string[];
  readonly capabilitiesDrop: readonly string[];
  readonly readOnlyRootFilesystem: boolean;
  readonly allowPrivilegeEscalation: boolean;
  readonly seccomp: 'RuntimeDefault' | 'Unconfined';
  /** A profile's name or "unconfined"; undefined: the agent's own. */
  readonly appArmor?: string | undefined;
}

export interface Container {
  readonly id: ContainerId;
  readonly state: 'running' | 'exited' | 'lost';
  readonly pid: number;
  readonly startedAtMs: number;
  readonly exit: ContainerExit | undefined;
}

interface ContainerExit {
  readonly exitCode: number;
  readonly signal: number | undefined;
  readonly finishedAtMs: number;
  /** The kernel killed something in its cgroup for want of memory. */
  readonly oomKilled: boolean;
  /** The end of what it wrote to /dev/termination-log; undefined: nothing. At most 4096 bytes. */
  readonly message: string | undefined;
}

export interface ContainerExec {
  readonly command: readonly string[];
  readonly stdin: boolean;
  readonly terminal: { readonly columns: number; readonly rows: number } | undefined;
}

// ── volumes ─────────────────────────────────────────────────────────────────────────────────────

export interface VolumePort {
  /** Makes the volume, or brings its files up to date (atomically, as Kubernetes' ..data symlink does). */
  ensure(uid: string, volume: VolumeSpec): Promise<VolumeSource>;
  /** Removes every volume of the pod. Never follows a link out of them. */
  remove(uid: string): Promise<void>;
  list(): Promise<readonly string[]>;
}

export type VolumeSpec = {
  readonly name: string;
  /** Who owns the files: host ids of the pod's root and, if set, of its fsGroup. */
  readonly owner: { readonly uid: number; readonly gid: number };
} & (
  | {
      readonly kind: 'empty-dir';
      readonly medium: 'disk' | 'memory';
      readonly sizeLimitBytes: number | undefined;
    }
  | { readonly kind: 'files'; readonly files: readonly VolumeFile[] }
);

export interface VolumeFile {
  /** Relative, no "..", may have directories. */
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly mode: number;
}

/** Where a volume is to be bound from; memory volumes are mounted by the sandbox's shim, in its own mount namespace. */
export type VolumeSource =
  | {
      readonly kind: 'directory';
      readonly name: string;
      readonly path: string;
      /** Files of ConfigMaps and Secrets: never writable, whatever the mount says. As in Kubernetes. */
      readonly readOnly: boolean;
    }
  | {
      readonly kind: 'tmpfs';
      readonly name: string;
      readonly sizeLimitBytes: number | undefined;
      readonly uid: number;
      readonly gid: number;
    };

// ── network ─────────────────────────────────────────────────────────────────────────────────────

export interface NetworkPort {
  /** Connects a sandbox: veth pair, address, routes both ways. The same pod gets the same address again. */
  attach(request: AttachRequest): Promise<PodNetwork>;
  /** Gives back the address; nothing is sent to the pod any more. Its link goes with its namespace, or soon after. */
  detach(uid: string): Promise<void>;
  find(uid: string): Promise<PodNetwork | undefined>;
  /** Pods that hold an address. */
  list(): Promise<readonly PodNetwork[]>;
  /** Makes the node's routes, service rules and DNS answers those of this table, in one step each. */
  apply(table: NetworkTable): Promise<void>;
}

export interface AttachRequest {
  readonly uid: string;
  /** Sandbox.networkNamespace */
  readonly networkNamespace: string;
  /** Runs the pod's side of the set-up inside that namespace: SandboxPort.runInNetwork. */
  readonly runInside: (ops: readonly Op[]) => Promise<void>;
  /** Ports of the node that lead to the pod for as long as it is attached. */
  readonly hostPorts: readonly HostPort[];
}

export type PodNetwork = Readonly<{ uid: string; podIp: string }>;

/** What a node must know of the cluster's network; pushed by the controller, kept in the ledger. */
export interface NetworkTable {
  readonly podCidr: string;
  readonly clusterPodCidr: string;
  readonly serviceCidr: string;
  readonly clusterDomain: string;
  /** Address at which every pod finds this node's DNS. */
  readonly dnsServiceIp: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly address: string;
    readonly podCidr: string;
  }[];
  readonly services: readonly ServiceEntry[];
}

export interface ServiceEntry {
  readonly namespace: string;
  readonly name: string;
  /** undefined: headless. */
  readonly clusterIp: string | undefined;
  readonly sessionAffinityMs: number | undefined;
  readonly ports: readonly ServicePortEntry[];
  /** For DNS of headless services and of pods' hostnames: ready addresses (or all, if the Service publishes not-ready ones). */
  readonly addresses: readonly { readonly ip: string; readonly hostname: string | undefined }[];
  readonly externalName: string | undefined;
}

export interface ServicePortEntry {
  readonly name: string;
  readonly protocol: 'TCP' | 'UDP';
  readonly port: number;
  /** Leads there too, on every node's own addresses. */
  readonly nodePort: number | undefined;
  /** Ready endpoints: address and target port. */
  readonly endpoints: readonly { readonly ip: string; readonly port: number }[];
}
