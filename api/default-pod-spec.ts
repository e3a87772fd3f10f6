import type { Container } from './container.ts';
import type { PodSpec, PodTemplate } from './pod-spec.ts';
import type { Volume } from './volume.ts';

/** Defaults of a pod's spec that depend on other fields, in templates as in pods. */
function defaultPodSpec(spec: PodSpec): PodSpec {
  return {
    ...spec,
    hostUsers: spec.hostUsers ?? spec.hostNetwork === true,
    containers: spec.containers.map(defaultContainer),
    ...(spec.initContainers && { initContainers: spec.initContainers.map(defaultContainer) }),
    ...(spec.ephemeralContainers && {
      ephemeralContainers: spec.ephemeralContainers.map(defaultContainer),
    }),
    ...(spec.volumes && { volumes: spec.volumes.map(defaultVolume) }),
  };
}

/** The same for whatever makes pods from a template. */
export function defaultTemplate<S extends { readonly template: PodTemplate }>(spec: S): S {
  const { template } = spec;
  return { ...spec, template: { ...template, spec: defaultPodSpec(template.spec) } };
}

/** What Kubernetes fills in for pods only: templates stay as they were written. */
export function defaultRunningPodSpec(spec: PodSpec): PodSpec {
  const whole = defaultPodSpec(spec);
  const containers = whole.containers.map(requestLimits);
  return {
    ...whole,
    enableServiceLinks: whole.enableServiceLinks ?? true,
    containers: spec.hostNetwork ? containers.map(openPorts) : containers,
    ...(whole.initContainers && { initContainers: whole.initContainers.map(requestLimits) }),
  };
}

/** In the node's network a container's ports are the node's. */
const openPorts = ({ ports, ...container }: Container): Container => ({
  ...container,
  ...(ports && {
    ports: ports.map((port) => ({ ...port, hostPort: port.hostPort || port.containerPort })),
  }),
});

function defaultContainer<C extends Container>(container: C): C {
  return {
    ...container,
    imagePullPolicy:
      container.imagePullPolicy ?? (isLatest(container.image) ? 'Always' : 'IfNotPresent'),
  };
}

/** "nginx" and "nginx:latest" move; "nginx:1.27" and "nginx@sha256:…" are taken to stay. */
function isLatest(image: string): boolean {
  const [reference = '', digest] = image.split('@');
  const tag = /:([^:/]+)$/.exec(reference)?.[1];
  return tag === undefined ? digest === undefined : tag === 'latest';
}

function defaultVolume(volume: Volume): Volume {
  return volume.configMap || volume.secret || volume.emptyDir
    ? volume
    : { ...volume, emptyDir: {} };
}

/** A limit without a request is requested whole. */
function requestLimits(container: Container): Container {
  const { resources } = container;
  const { limits, requests } = resources;
  if (limits === undefined) return container;
  return { ...container, resources: { ...resources, requests: { ...limits, ...requests } } };
}
