import type { Container } from '../../api/container.ts';
import { formatSince } from '../../api/format-age.ts';
import type { Pod } from '../../api/pod.ts';
import type { ContainerState, ContainerStatus } from '../../api/pod-status.ts';
import type { Probe } from '../../api/probe.ts';
import type { Volume } from '../../api/volume.ts';
import { conditionSection, pairs } from './describe-any.ts';
import type { Description, Fact, Section } from './sections.ts';

/** Pure. */
export function describePod(pod: Pod, now: number): Description {
  const { spec, status } = pod;
  const { initContainers = [], containers, ephemeralContainers = [] } = spec;
  const { initContainerStatuses = [], containerStatuses = [] } = status;
  const { ephemeralContainerStatuses: ephemeral = [] } = status;
  return {
    facts: podFacts(pod),
    sections: [
      containerTable('INIT CONTAINERS', initContainers, { statuses: initContainerStatuses, now }),
      containerTable('CONTAINERS', containers, { statuses: containerStatuses, now }),
      containerTable('EPHEMERAL CONTAINERS', ephemeralContainers, { statuses: ephemeral, now }),
      ...[...initContainers, ...containers, ...ephemeralContainers].map((container) => ({
        title: `CONTAINER ${container.name}`,
        lines: containerLines(container),
      })),
      { title: 'VOLUMES', ...volumeTable(spec.volumes) },
      conditionSection(status.conditions, now),
    ],
  };
}

function podFacts({ spec, status }: Pod): readonly Fact[] {
  const tolerations = (spec.tolerations ?? []).map(
    ({ key = 'everything', effect = '', tolerationSeconds: s }) =>
      `${key}${effect && `:${effect}`}${s === undefined ? '' : ` for ${s} s`}`,
  );
  return [
    ['phase', [status.phase, status.reason, status.message].filter(Boolean).join(' · ')],
    ['node', spec.nodeName ? `${spec.nodeName} (${status.hostIP ?? 'unknown'})` : 'none yet'],
    ['address', status.podIP],
    ['quality', status.qosClass],
    ['users', spec.hostUsers ? "the node's" : 'its own (user namespace)'],
    ['node selector', pairs(spec.nodeSelector ?? {})],
    ['tolerates', tolerations.join('\n')],
  ];
}

function containerTable(
  title: string,
  containers: readonly Container[],
  { statuses, now }: { readonly statuses: readonly ContainerStatus[]; readonly now: number },
): Section {
  const rows = containers.map(({ name, image }) => {
    const status = statuses.find((one) => one.name === name);
    if (status === undefined) return [name, 'no', 'Waiting', '0', undefined, image];
    const { ready, state, restartCount, lastState } = status;
    const before = lastState.terminated && stateWord(lastState, now);
    return [name, ready ? 'yes' : 'no', stateWord(state, now), String(restartCount), before, image];
  });
  const headers = ['NAME', 'READY', 'STATE', 'RESTARTS', 'LAST RUN', 'IMAGE'];
  return { title, headers, rows };
}

/** "Running for 5m", "CrashLoopBackOff: back-off 10s", "Error: exit 1, 3s ago" */
function stateWord({ running, terminated, waiting }: ContainerState, now: number): string {
  if (running) return `Running for ${formatSince(running.startedAt, now)}`;
  if (!terminated)
    return [waiting?.reason ?? 'Waiting', waiting?.message].filter(Boolean).join(': ');
  const { reason = 'Terminated', exitCode, finishedAt, message } = terminated;
  const when = finishedAt === undefined ? '' : `, ${formatSince(finishedAt, now)} ago`;
  return `${reason}: exit ${exitCode}${when}${message ? ` (${message.trim()})` : ''}`;
}

function containerLines(container: Container): readonly string[] {
  const { command = [], args = [], ports = [], resources, volumeMounts = [] } = container;
  const { limits = {}, requests = {} } = resources;
  const portWords = ports.map((p) => `${p.containerPort}/${p.protocol} ${p.name ?? ''}`.trim());
  const mounts = volumeMounts.map(
    ({ name, mountPath, readOnly }) => `${mountPath} ← ${name}${readOnly ? ' (read only)' : ''}`,
  );
  const facts: readonly Fact[] = [
    ['command', [...command, ...args].map(quoted).join(' ')],
    ['ports', portWords.join(', ')],
    ['requests', amounts(requests)],
    ['limits', amounts(limits)],
    ['environment', environmentOf(container)],
    ['mounts', mounts.join('\n')],
    ['startup', probeText(container.startupProbe)],
    ['readiness', probeText(container.readinessProbe)],
    ['liveness', probeText(container.livenessProbe)],
  ];
  return facts.flatMap(([label, value]) =>
    value ? value.split('\n').map((line, i) => `${(i ? '' : label).padEnd(12)} ${line}`) : [],
  );
}

const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word));
const amounts = (map: Readonly<Record<string, string>>) =>
  Object.entries(map)
    .map(([name, amount]) => `${name} ${amount}`)
    .join(', ');

/** Values of Secrets are named, never shown. */
function environmentOf({ env = [], envFrom = [] }: Container): string {
  const all = envFrom.map(
    ({ configMapRef, secretRef, prefix = '' }) =>
      `${prefix}* from ${configMapRef ? `configmap/${configMapRef.name}` : `secret/${secretRef?.name}`}`,
  );
  const single = env.map(({ name, value = '', valueFrom }) => {
    if (valueFrom === undefined) return `${name}=${value}`;
    const { configMapKeyRef, secretKeyRef, fieldRef } = valueFrom;
    if (fieldRef) return `${name} from ${fieldRef.fieldPath}`;
    if (secretKeyRef) return `${name} from secret/${secretKeyRef.name} ${secretKeyRef.key}`;
    return `${name} from configmap/${configMapKeyRef?.name} ${configMapKeyRef?.key}`;
  });
  return [...all, ...single].join('\n');
}

/** "GET http :8080/ every 1 s, fails after 3" */
function probeText(probe: Probe | undefined): string | undefined {
  if (probe === undefined) return undefined;
  const { httpGet, tcpSocket, exec, periodSeconds, failureThreshold, timeoutSeconds } = probe;
  const what = httpGet
    ? `GET ${httpGet.scheme.toLowerCase()} :${httpGet.port}${httpGet.path}`
    : tcpSocket
      ? `connect to :${tcpSocket.port}`
      : `run ${(exec?.command ?? []).map(quoted).join(' ')}`;
  return `${what} every ${periodSeconds} s within ${timeoutSeconds} s; ${failureThreshold} failures count`;
}

const volumeTable = (volumes: readonly Volume[] = []) => ({
  headers: ['NAME', 'FROM'],
  rows: volumes.map((volume) => [volume.name, volumeSource(volume)]),
});

function volumeSource({ configMap, secret, emptyDir }: Volume): string {
  if (configMap) return `configmap/${configMap.name}`;
  if (secret) return `secret/${secret.secretName}`;
  const size = emptyDir?.sizeLimit === undefined ? '' : `, at most ${emptyDir.sizeLimit}`;
  return `an empty directory${emptyDir?.medium ? ' in memory' : ''}${size}`;
}
