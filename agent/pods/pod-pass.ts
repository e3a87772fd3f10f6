import { isPodFinished } from '../../api/pod-facts.ts';
import type { Ledger, PodAssignment } from '../ledger/assignment.ts';
import type { NodePorts } from '../ports.ts';
import { containerNamed } from './container-spec.ts';
import type { Plan, Step } from './pod-action.ts';
import {
  endBackground,
  endPulls,
  type PodContext,
  type PodPass,
  PodRecord,
  remember,
  retryWhatWaited,
  tell,
} from './pod-context.ts';
import { keepMemory } from './pod-memory.ts';
import { isGone, memoryOf, type PodObservation } from './pod-observation.ts';
import { isDeleted, planPod } from './pod-plan.ts';
import { podStatus } from './pod-status.ts';
import { applyPodAction } from './pod-steps.ts';
import type { StatusBoard } from './status-board.ts';
import { superviseProbes } from './supervise-probes.ts';
import { volumesSignature } from './volume-specs.ts';

/** Steps of one pass, so that a plan that never settles can't keep a worker for itself. */
const stepsPerPass = 50;
/** Even if nobody wakes it, a pod is looked at this often. */
const resyncMs = 60_000;

export interface PassDeps {
  readonly context: PodContext;
  readonly ledger: Ledger;
  readonly records: Map<string, PodRecord>;
  readonly board: StatusBoard;
}

/** Brings one pod as far as it gets without waiting: observe → plan → report → apply, until there is nothing to do. */
export async function passOver(uid: string, signal: AbortSignal, deps: PassDeps) {
  const { context, ledger, records } = deps;
  const record = records.get(uid) ?? (await recallPod(uid, ledger.pods().get(uid), context));
  records.set(uid, record);
  for (let step = 0; step < stepsPerPass; step++) {
    const pass = await lookAt(record, signal, deps);
    const plan = planPod(pass.assignment, pass.observed);
    const steps = plan.filter((action) => action.kind !== 'wait');
    // What lies between is over sooner than it could be told: each report is a write to the store.
    if (step === 0 || steps.length === 0) report(pass, deps.board);
    for (const action of plan) if (action.kind === 'wait') tellBackOff(action, pass);
    if (steps.length === 0) return rest(pass, plan, records);
    await applyAll(steps, pass);
  }
  return 0;
}

async function lookAt(record: PodRecord, signal: AbortSignal, { context, ledger }: PassDeps) {
  const assignment = ledger.pods().get(record.uid);
  if (!assignment || isDeleted(assignment.pod)) endPulls(record);
  else retryWhatWaited(record, assignment);
  const observed = await observePod(record, assignment, context);
  const pass = { ...context, record, assignment, observed, signal };
  superviseProbes(pass);
  return pass;
}

/** Each step runs even if one before it failed, so that one stuck piece doesn't keep the others. */
async function applyAll(steps: Plan, pass: PodPass): Promise<void> {
  const errors: unknown[] = [];
  for (const action of steps) {
    pass.signal.throwIfAborted();
    await applyPodAction(action, pass).catch((error: unknown) => errors.push(error));
  }
  await keepMemory(pass.record, pass.memories);
  pass.signal.throwIfAborted();
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, 'several steps failed');
}

/** Kubernetes' BackOff event, once for each restart that has to wait. */
function tellBackOff({ restart }: Step<'wait'>, pass: PodPass): void {
  const { record, assignment } = pass;
  if (!restart || !assignment) return;
  const { container, attempt } = restart;
  if (memoryOf(record, container).toldBackOff === attempt) return;
  remember(record, container, { toldBackOff: attempt });
  const { name, namespace, uid } = assignment.pod.metadata;
  const message = `Back-off restarting failed container ${container} in pod ${name}_${namespace}(${uid})`;
  tell(pass, { type: 'Warning', reason: 'BackOff', message, container });
}

async function rest(
  { record, assignment, observed, memories }: PodPass,
  plan: Plan,
  records: Map<string, PodRecord>,
) {
  if (assignment === undefined && isGone(observed)) {
    endBackground(record);
    records.delete(record.uid);
    return memories.remove(record.uid);
  }
  await keepMemory(record, memories);
  const waits = plan.flatMap((action) => (action.kind === 'wait' ? [action.untilMs] : []));
  const dueMs = waits.map((untilMs) => Math.max(0, untilMs - observed.now));
  return Math.min(resyncMs, ...dueMs);
}

function report({ assignment, record, observed, hostIp }: PodPass, board: StatusBoard): void {
  if (assignment === undefined) {
    board.set(record.uid, undefined);
    return;
  }
  const { pod, uid, generation } = assignment;
  const terminated = isDeleted(pod) && isGone(observed);
  // What an earlier agent said of the end is better than what can be told from what is left of the pod.
  if (isPodFinished(pod) && record.status === undefined && !terminated) return;
  const { startedAtMs, conditionsBefore } = record;
  const previous = record.status?.conditions ?? conditionsBefore;
  record.status = podStatus({ pod, observed, hostIp, startedAtMs, previous });
  const { namespace = '', name } = pod.metadata;
  board.set(uid, { uid, namespace, name, generation, status: record.status, terminated });
}

/** Looks at everything that is there of one pod. */
async function observePod(
  record: PodRecord,
  assignment: PodAssignment | undefined,
  { ports, clock }: PodContext,
): Promise<PodObservation> {
  const { uid, images, memory, probers, blocked } = record;
  const sandbox = await ports.sandboxes.find(uid);
  return {
    sandbox,
    network: await ports.network.find(uid),
    attached: sandbox !== undefined && sandbox.networkNamespace === record.attachedTo,
    volumes: await observeVolumes(record, assignment, ports),
    containers: sandbox ? await ports.containers.list(uid) : [],
    ...{ images, memory, blocked },
    probes: new Map([...probers].map(([name, { prober }]) => [name, prober.states()] as const)),
    now: clock.now(),
  };
}

async function observeVolumes(
  record: PodRecord,
  assignment: PodAssignment | undefined,
  ports: NodePorts,
): Promise<PodObservation['volumes']> {
  if (!assignment || isDeleted(assignment.pod))
    return (await ports.volumes.list()).includes(record.uid) ? 'stale' : 'none';
  return record.volumesFor === volumesSignature(assignment) ? 'ready' : 'stale';
}

/** The record of a pod that this agent hasn't worked on yet; for one that an earlier agent ran, what can be found out. */
async function recallPod(
  uid: string,
  assignment: PodAssignment | undefined,
  { ports, memories, clock }: PodContext,
): Promise<PodRecord> {
  const sandbox = await ports.sandboxes.find(uid);
  const containers = sandbox ? await ports.containers.list(uid) : [];
  const memory = await memories.read(uid);
  const firstStart = Math.min(clock.now(), ...containers.map((c) => c.startedAtMs));
  const record = new PodRecord(uid, memory?.startedAtMs ?? firstStart);
  record.conditionsBefore = memory?.conditions;
  for (const [name, known] of Object.entries(memory?.containers ?? {}))
    remember(record, name, known);
  // For the image's id and its stop signal; the next start makes sure of the image as always.
  for (const { id } of containers) {
    const reference = assignment && containerNamed(assignment.pod, id.name)?.image;
    const image = reference === undefined ? undefined : await ports.images.find(reference);
    if (image) record.images.set(id.name, { state: 'present', image, attempt: id.attempt });
  }
  return record;
}
