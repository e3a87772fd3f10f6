import { hostPorts } from '../../api/pod-facts.ts';
import { errorChain } from '../../base/error-chain.ts';
import type { PodAssignment } from '../ledger/assignment.ts';
import type { Container, SandboxSpec, VolumePort, VolumeSource, VolumeSpec } from '../ports.ts';
import { ConfigProblem } from './config-entries.ts';
import { podResources } from './container-spec.ts';
import type { PodPass } from './pod-context.ts';
import { tell } from './pod-events.ts';
import { hostnameOf, hostsFile, resolvConf } from './pod-files.ts';
import { keepMemory } from './pod-memory.ts';
import { newestOf } from './pod-observation.ts';
import { endProbes, remember } from './pod-record.ts';
import { volumeSpecs, volumesSignature } from './volume-specs.ts';

/** What containers stand on: volumes, sandbox, network. Each throws what the pod must wait for. */
export async function ensureVolumes(pass: PodPass): Promise<void> {
  const { record, assignment, ports } = pass;
  if (!assignment) return;
  try {
    record.volumes = await madeVolumes(record.uid, volumeSpecs(assignment), ports.volumes);
  } catch (error) {
    if (!(error instanceof ConfigProblem) || record.volumesFor === undefined) throw error;
    // Files that a running pod already has outlive the object that they came from.
    const message = errorChain(error);
    tell(pass, { type: 'Warning', reason: 'FailedMount', message });
  }
  record.volumesFor = volumesSignature(assignment);
}

async function madeVolumes(
  uid: string,
  volumes: readonly VolumeSpec[],
  port: VolumePort,
): Promise<ReadonlyMap<string, VolumeSource>> {
  const sources = new Map<string, VolumeSource>();
  for (const volume of volumes) {
    try {
      sources.set(volume.name, await port.ensure(uid, volume));
    } catch (cause) {
      throw new Error(`MountVolume.SetUp failed for volume "${volume.name}"`, { cause });
    }
  }
  return sources;
}

export async function createSandbox(pass: PodPass): Promise<void> {
  const { assignment, ports, signal } = pass;
  if (!assignment) return;
  const { runtimeClassName: wanted } = assignment.pod.spec;
  if (wanted !== undefined && assignment.runtimeHandler === '')
    throw new Error(`RuntimeClass "${wanted}" not found`);
  await ports.sandboxes.ensure(sandboxSpec(assignment, pass, undefined), signal);
}

export async function attachNetwork(pass: PodPass): Promise<void> {
  const { record, assignment, observed, signal } = pass;
  const { sandboxes, network } = pass.ports;
  const networkNamespace = observed.sandbox?.networkNamespace;
  if (!assignment || networkNamespace === undefined) return;
  const { podIp } = await network.attach({
    uid: record.uid,
    networkNamespace,
    runInside: (ops) => sandboxes.runInNetwork(record.uid, ops),
    hostPorts: hostPorts(assignment.pod.spec),
  });
  record.attachedTo = networkNamespace;
  // Again, now that the pod's own address is known and can be written into its hosts file.
  await sandboxes.ensure(sandboxSpec(assignment, pass, podIp), signal);
}

function sandboxSpec(
  assignment: PodAssignment,
  pass: PodPass,
  podIp: string | undefined,
): SandboxSpec {
  const { pod } = assignment;
  const network = pass.network();
  const ip = pod.spec.hostNetwork ? pass.hostIp : podIp;
  return {
    uid: assignment.uid,
    namespace: pod.metadata.namespace ?? '',
    name: pod.metadata.name,
    hostname: pod.spec.hostNetwork ? pass.nodeName : hostnameOf(pod),
    userNamespace: assignment.userNamespace,
    hostNetwork: pod.spec.hostNetwork ?? false,
    runtimeHandler: assignment.runtimeHandler || undefined,
    resources: podResources(assignment),
    resolvConf: resolvConf(pod, network, pass.nodeResolvConf),
    hosts: hostsFile(pod, ip, network?.clusterDomain ?? 'cluster.local'),
  };
}

/** What the records say goes with the sandbox: what is still needed of them is remembered. */
export async function removeSandbox(pass: PodPass): Promise<void> {
  const { record, observed, ports, memories } = pass;
  const names = new Set(observed.containers.map((c) => c.id.name));
  for (const name of names) {
    const newest = newestOf(observed, name);
    if (newest) remember(record, name, { lost: lostWithSandbox(newest), stop: undefined });
  }
  // First: without records and memory a pod that has ended would run again.
  await keepMemory(record, memories);
  endProbes(record);
  await ports.sandboxes.remove(record.uid);
  record.attachedTo = undefined;
}

const lostWithSandbox = (container: Container): Container =>
  container.state === 'running' ? { ...container, state: 'lost' } : container;
