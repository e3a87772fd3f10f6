import { hostPorts } from '../../api/pod-facts.ts';
import { backoffMs } from '../../base/backoff.ts';
import { errorChain } from '../../base/error-chain.ts';
import type { PodAssignment } from '../ledger/assignment.ts';
import type { Container, SandboxSpec, VolumePort, VolumeSource, VolumeSpec } from '../ports.ts';
import { ConfigProblem } from './config-entries.ts';
import { startBackoff } from './container-plan.ts';
import { podResources } from './container-spec.ts';
import { killContainer, startContainer, stopContainer } from './container-steps.ts';
import { startPull } from './image-pull.ts';
import type { PodAction } from './pod-action.ts';
import { endProbes, type PodPass, remember, tell } from './pod-context.ts';
import { hostnameOf, hostsFile, resolvConf } from './pod-files.ts';
import { keepMemory } from './pod-memory.ts';
import { newestOf } from './pod-observation.ts';
import { volumeSpecs, volumesSignature } from './volume-specs.ts';

/** Does one step. What a pod must wait for is written into its record; anything else is thrown. */
export async function applyPodAction(action: PodAction, pass: PodPass): Promise<void> {
  const { ports, record } = pass;
  switch (action.kind) {
    case 'ensure-volumes':
    case 'create-sandbox':
    case 'attach-network':
      return layGround(ground[action.kind], pass);
    case 'pull-image':
      return startPull(action, pass);
    case 'start-container':
      return startContainer(action, pass);
    case 'stop-container':
      return stopContainer(action, pass);
    case 'kill-container':
      return killContainer(action, pass);
    case 'remove-container':
      return ports.containers.remove(action.id);
    case 'detach-network':
      return ports.network.detach(record.uid);
    case 'remove-sandbox':
      return removeSandbox(pass);
    case 'remove-volumes':
      await ports.volumes.remove(record.uid);
      record.volumesFor = undefined;
      return;
    case 'wait':
      return;
  }
}

interface Ground {
  /** Throws what the pod must wait for. */
  readonly step: (pass: PodPass) => Promise<void>;
  readonly reason: string;
  /** Says which step it was; "" where the error does so. */
  readonly failed: string;
}

/** What containers stand on: volumes, sandbox, network. */
const ground: Readonly<Record<'ensure-volumes' | 'create-sandbox' | 'attach-network', Ground>> = {
  'ensure-volumes': { step: ensureVolumes, reason: 'FailedMount', failed: '' },
  'create-sandbox': {
    step: createSandbox,
    reason: 'FailedCreatePodSandBox',
    failed: 'Failed to create pod sandbox: ',
  },
  'attach-network': {
    step: attachNetwork,
    reason: 'FailedCreatePodSandBox',
    failed: 'Failed to create pod sandbox: connecting its network: ',
  },
};

/** A failure here stops the pod as a whole, for a while that grows. */
async function layGround({ step, reason, failed }: Ground, pass: PodPass): Promise<void> {
  const { record, clock } = pass;
  try {
    await step(pass);
    record.blocked = undefined;
    record.blockedTimes = 0;
  } catch (error) {
    pass.signal.throwIfAborted();
    const message = `${failed}${errorChain(error)}`;
    record.blockedTimes += 1;
    const retryAtMs = clock.now() + backoffMs(startBackoff, record.blockedTimes);
    record.blocked = { reason, message, retryAtMs };
    tell(pass, { type: 'Warning', reason, message });
  }
}

async function ensureVolumes(pass: PodPass): Promise<void> {
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

async function madeVolumes(uid: string, volumes: readonly VolumeSpec[], port: VolumePort) {
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

async function createSandbox(pass: PodPass): Promise<void> {
  const { assignment, ports, signal } = pass;
  if (!assignment) return;
  const { runtimeClassName: wanted } = assignment.pod.spec;
  if (wanted !== undefined && assignment.runtimeHandler === '')
    throw new Error(`RuntimeClass "${wanted}" not found`);
  await ports.sandboxes.ensure(sandboxSpec(assignment, pass, undefined), signal);
}

async function attachNetwork(pass: PodPass): Promise<void> {
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
async function removeSandbox(pass: PodPass): Promise<void> {
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
