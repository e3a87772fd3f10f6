import { checkAnnotations, checkLabels } from './check-metadata.ts';
import type { Container, EphemeralContainer } from './container.ts';
import * as field from './field-error.ts';
import * as names from './names.ts';
import type { PodSpec, PodTemplate, Toleration } from './pod-spec.ts';
import { quantityOf } from './quantity.ts';
import { isSame } from './same.ts';
import {
  validateAppArmor,
  validateContainer,
  validateNoProbes,
  validateOnlyEphemeral,
} from './validate-container.ts';
import type { KeyToPath, Volume } from './volume.ts';

/** The rules of a pod's spec that concern several fields; its shape is right already. */
export const validatePodSpec: field.Rule<PodSpec> = (spec, at) => {
  const { containers, initContainers, volumes = [], priorityClassName: priority } = spec;
  const validate = validateContainer(new Set(volumes.map(({ name }) => name)));
  return field.errorsOf(
    field.errorsOfEach(volumes, at('volumes'), validateVolume),
    containers.length === 0 && field.required(at('containers')),
    field.errorsOfEach(containers, at('containers'), validate),
    field.errorsOfEach(initContainers, at('initContainers'), (one, path) =>
      field.errorsOf(
        validate(one, path),
        validateNoProbes(one, path),
        containers.some(({ name }) => name === one.name) && field.duplicate(path('name'), one.name),
      ),
    ),
    field.errorsOfEach(spec.ephemeralContainers, at('ephemeralContainers'), (one, path) =>
      field.errorsOf(
        validate(one, path),
        validateOnlyEphemeral(one, path),
        validateAmongOthers(spec)(one, path),
      ),
    ),
    field.errorsOfEach(spec.tolerations, at('tolerations'), validateToleration),
    checkLabels(spec.nodeSelector, at('nodeSelector')),
    validateAppArmor(spec.securityContext, at('securityContext')),
    priority && field.check(at('priorityClassName'), priority, names.checkDnsSubdomain),
    validateHost(spec, at),
    validateHostPorts(spec, at('containers')),
    validateRuntime(spec, at),
  );
};

const validateAmongOthers =
  ({ containers, initContainers = [] }: PodSpec): field.Rule<EphemeralContainer> =>
  ({ name, targetContainerName: target }, at) =>
    field.errorsOf(
      [...containers, ...initContainers].some((other) => other.name === name) &&
        field.duplicate(at('name'), name),
      target &&
        !containers.some((other) => other.name === target) &&
        field.missing(at('targetContainerName'), target),
    );

export const validateNoEphemeral =
  (why: string): field.Rule<PodSpec> =>
  ({ ephemeralContainers = [] }, at) =>
    ephemeralContainers.length > 0 ? [field.forbidden(at('ephemeralContainers'), why)] : [];

/** Terminals are made by orc's own runtime only, and so are pid namespaces for two. */
const validateRuntime: field.Rule<PodSpec> = (spec, at) => {
  const { runtimeClassName: name, containers, initContainers, ephemeralContainers } = spec;
  if (name === undefined) return [];
  const noTerminal: field.Rule<Container> = ({ tty }, path) =>
    tty ? [field.unsupported(path('tty'), true)] : [];
  return field.errorsOf(
    field.check(at('runtimeClassName'), name, names.checkDnsSubdomain),
    field.errorsOfEach(containers, at('containers'), noTerminal),
    field.errorsOfEach(initContainers, at('initContainers'), noTerminal),
    field.errorsOfEach(ephemeralContainers, at('ephemeralContainers'), (one, path) => [
      ...noTerminal(one, path),
      ...(one.targetContainerName
        ? [field.unsupported(path('targetContainerName'), one.targetContainerName)]
        : []),
    ]),
  );
};

/** A template of a Deployment or ReplicaSet: its pods are restarted for ever. */
export const validatePodTemplate: field.Rule<PodTemplate> = (template, at) => {
  const { restartPolicy } = template.spec;
  return field.errorsOf(
    checkLabels(template.metadata.labels, at('metadata')('labels')),
    checkAnnotations(template.metadata.annotations, at('metadata')('annotations')),
    validatePodSpec(template.spec, at('spec')),
    validateNoEphemeral('ephemeral containers not allowed in pod template')(
      template.spec,
      at('spec'),
    ),
    restartPolicy !== 'Always' &&
      field.notOneOf(at('spec')('restartPolicy'), restartPolicy, ['Always']),
  );
};

/** What may be changed in a running pod: images, and tolerations by addition. */
export const validatePodSpecUpdate =
  (previous: PodSpec): field.Rule<PodSpec> =>
  (next, at) => {
    const restored = { ...withImagesOf(next, previous), tolerations: previous.tolerations };
    const isAllowed = isSame(restored, previous) && keepsTolerations(next, previous);
    return isAllowed ? [] : [field.forbidden(at, MUTABLE_FIELDS)];
  };

/** The same by the subresource `ephemeralcontainers`: what is there stays, more may come. */
export const validateEphemeralUpdate =
  ({ ephemeralContainers: previous = [] }: PodSpec): field.Rule<PodSpec> =>
  ({ ephemeralContainers = [] }, at) =>
    previous.flatMap((one) => {
      const next = ephemeralContainers.find(({ name }) => name === one.name);
      if (next && isSame(next, one)) return [];
      const why = `existing ephemeral containers "${one.name}" may not be ${next ? 'changed' : 'removed'}`;
      return [field.forbidden(at('ephemeralContainers'), why)];
    });

const MUTABLE_FIELDS =
  'pod updates may not change fields other than `spec.containers[*].image`, `spec.initContainers[*].image`, ' +
  '`spec.tolerations` (only additions to existing tolerations)';

const DISK_LIMIT = 'without medium Memory this is not supported by orc yet';

const validateVolume: field.Rule<Volume> = (volume, at) => {
  const [, ...more] = Object.keys(volume).filter((key) => key !== 'name');
  const { sizeLimit: limit, medium } = volume.emptyDir ?? {};
  return field.errorsOf(
    more.map((source) => field.forbidden(at(source), 'may not specify more than 1 volume type')),
    validateItems(volume.configMap?.items, at('configMap')('items')),
    validateItems(volume.secret?.items, at('secret')('items')),
    limit !== undefined &&
      quantityOf(limit).nano < 0n &&
      field.invalid(at('emptyDir')('sizeLimit'), limit, 'must be greater than or equal to 0'),
    limit !== undefined &&
      medium !== 'Memory' &&
      field.invalid(at('emptyDir')('sizeLimit'), limit, DISK_LIMIT),
  );
};

const validateItems: field.Rule<readonly KeyToPath[] | undefined> = (items = [], at) => {
  const paths = items.map(({ path }) => path);
  return field.errorsOfEach(paths, at, (path, place, index) =>
    field.errorsOf(
      field.check(place('path'), path, names.checkRelativePath),
      paths.indexOf(path) < index && field.duplicate(place('path'), path),
    ),
  );
};

const validateToleration: field.Rule<Toleration> = (toleration, at) => {
  const { key, operator = 'Equal', value = '', effect = '', tolerationSeconds } = toleration;
  return field.errorsOf(
    key && field.check(at('key'), key, names.checkQualifiedName),
    !key &&
      operator !== 'Exists' &&
      field.invalid(at('operator'), operator, 'must be Exists when `key` is empty (every taint)'),
    operator === 'Exists' &&
      value !== '' &&
      field.invalid(at('value'), value, 'must be empty when `operator` is Exists'),
    operator === 'Equal' && field.check(at('value'), value, names.checkLabelValue),
    tolerationSeconds !== undefined &&
      effect !== 'NoExecute' &&
      field.invalid(at('effect'), effect, 'must be NoExecute when `tolerationSeconds` is set'),
  );
};

const validateHost: field.Rule<PodSpec> = (spec, at) => {
  const { nodeName, hostname, subdomain, hostNetwork, hostUsers } = spec;
  return field.errorsOf(
    nodeName && field.check(at('nodeName'), nodeName, names.checkDnsSubdomain),
    hostname && field.check(at('hostname'), hostname, names.checkDnsLabel),
    subdomain && field.check(at('subdomain'), subdomain, names.checkDnsLabel),
    hostNetwork &&
      !hostUsers &&
      field.invalid(at('hostNetwork'), true, 'must be false when `hostUsers` is false'),
  );
};

const validateHostPorts: field.Rule<PodSpec> = ({ containers, hostNetwork }, at) => {
  const seen = new Set<string>();
  return containers.flatMap(({ ports = [] }, c) =>
    ports.flatMap(({ protocol, hostIP = '', hostPort, containerPort }, p) => {
      if (!hostPort) return [];
      const path = at(c)('ports')(p)('hostPort');
      const name = `${protocol}/${hostIP}/${hostPort}`;
      const isTaken = seen.has(name);
      seen.add(name);
      return field.errorsOf(
        isTaken && field.duplicate(path, name),
        hostNetwork &&
          hostPort !== containerPort &&
          field.invalid(path, hostPort, 'must match `containerPort` when `hostNetwork` is true'),
      );
    }),
  );
};

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
