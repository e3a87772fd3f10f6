import { checkAnnotations, checkLabels, invalidBecause } from './check-metadata.ts';
import type { Container } from './container.ts';
import {
  duplicateField,
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidField,
  notOneOf,
  requiredField,
} from './field-error.ts';
import { checkDnsLabel, checkDnsSubdomain } from './names.ts';
import type { PodSpec, PodTemplate } from './pod-spec.ts';
import { isSame } from './same.ts';
import { validateContainer, validateNoProbes } from './validate-container.ts';
import { validateToleration } from './validate-toleration.ts';
import { validateVolume } from './validate-volume.ts';

/** The rules of a pod's spec that concern several fields; its shape is right already. */
export function validatePodSpec(spec: PodSpec, at: FieldPath): readonly FieldError[] {
  const { containers, initContainers = [], volumes = [], tolerations = [] } = spec;
  const volumeNames = new Set(volumes.map(({ name }) => name));
  return [
    ...volumes.flatMap((volume, index) => validateVolume(volume, at('volumes')(index))),
    ...(containers.length === 0 ? [requiredField(at('containers'))] : []),
    ...containers.flatMap((container, index) =>
      validateContainer(container, volumeNames, at('containers')(index)),
    ),
    ...initContainers.flatMap((container, index) => [
      ...validateContainer(container, volumeNames, at('initContainers')(index)),
      ...validateNoProbes(container, at('initContainers')(index)),
      ...validateOtherName(container, containers, at('initContainers')(index)),
    ]),
    ...tolerations.flatMap((toleration, index) =>
      validateToleration(toleration, at('tolerations')(index)),
    ),
    ...checkLabels(spec.nodeSelector, at('nodeSelector')),
    ...validateHost(spec, at),
    ...validateHostPorts(spec, at('containers')),
  ];
}

/** A template of a Deployment or ReplicaSet: its pods are restarted for ever. */
export function validatePodTemplate(template: PodTemplate, at: FieldPath): readonly FieldError[] {
  const { restartPolicy } = template.spec;
  return [
    ...checkLabels(template.metadata.labels, at('metadata')('labels')),
    ...checkAnnotations(template.metadata.annotations, at('metadata')('annotations')),
    ...validatePodSpec(template.spec, at('spec')),
    ...(restartPolicy === 'Always'
      ? []
      : [notOneOf(at('spec')('restartPolicy'), restartPolicy, ['Always'])]),
  ];
}

/** What may be changed in a running pod: images, and tolerations by addition. */
export function validatePodSpecUpdate(
  next: PodSpec,
  previous: PodSpec,
  at: FieldPath,
): readonly FieldError[] {
  const restored = { ...withImagesOf(next, previous), tolerations: previous.tolerations };
  const isAllowed = isSame(restored, previous) && keepsTolerations(next, previous);
  return isAllowed ? [] : [forbiddenField(at, MUTABLE_FIELDS)];
}

const MUTABLE_FIELDS =
  'pod updates may not change fields other than `spec.containers[*].image`, `spec.initContainers[*].image`, ' +
  '`spec.tolerations` (only additions to existing tolerations)';

function validateOtherName(
  { name }: Container,
  others: readonly Container[],
  at: FieldPath,
): readonly FieldError[] {
  return others.some((other) => other.name === name) ? [duplicateField(at('name'), name)] : [];
}

function validateHost(spec: PodSpec, at: FieldPath): readonly FieldError[] {
  const { nodeName, hostname, subdomain, hostNetwork, hostUsers } = spec;
  return [
    ...(nodeName ? invalidBecause(at('nodeName'), nodeName, checkDnsSubdomain(nodeName)) : []),
    ...(hostname ? invalidBecause(at('hostname'), hostname, checkDnsLabel(hostname)) : []),
    ...(subdomain ? invalidBecause(at('subdomain'), subdomain, checkDnsLabel(subdomain)) : []),
    ...(hostNetwork && !hostUsers
      ? [invalidField(at('hostNetwork'), true, 'must be false when `hostUsers` is false')]
      : []),
  ];
}

function validateHostPorts(
  { containers, hostNetwork }: PodSpec,
  at: FieldPath,
): readonly FieldError[] {
  const seen = new Set<string>();
  return containers.flatMap(({ ports = [] }, c) =>
    ports.flatMap(({ protocol, hostIP = '', hostPort, containerPort }, p) => {
      if (!hostPort) return [];
      const path = at(c)('ports')(p)('hostPort');
      const name = `${protocol}/${hostIP}/${hostPort}`;
      const isTaken = seen.has(name);
      seen.add(name);
      return [
        ...(isTaken ? [duplicateField(path, name)] : []),
        ...(hostNetwork && hostPort !== containerPort
          ? [invalidField(path, hostPort, 'must match `containerPort` when `hostNetwork` is true')]
          : []),
      ];
    }),
  );
}

function withImagesOf(next: PodSpec, previous: PodSpec): PodSpec {
  const imagesBack = (now: readonly Container[], before: readonly Container[]) =>
    now.map((container, index) => ({ ...container, image: before[index]?.image ?? '' }));
  return {
    ...next,
    containers: imagesBack(next.containers, previous.containers),
    ...(next.initContainers && {
      initContainers: imagesBack(next.initContainers, previous.initContainers ?? []),
    }),
  };
}

function keepsTolerations(next: PodSpec, previous: PodSpec): boolean {
  const { tolerations: now = [] } = next;
  return (previous.tolerations ?? []).every((one) => now.some((other) => isSame(one, other)));
}
