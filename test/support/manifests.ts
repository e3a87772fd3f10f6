import type { V1Container, V1DeploymentSpec, V1PodSpec } from '@kubernetes/client-node';
import type { Manifest } from './dev-cluster.ts';

export const helloImage = 'registry:5000/hello:1';

/** As plain data: the client library's is a class. */
export type Container = Pick<V1Container, keyof V1Container>;
type ContainerFields = Partial<Container>;
type PodFields = Partial<V1PodSpec>;

/** A container of busybox that runs a shell script; one second of grace in {@link shellPod}. */
export function shell(script: string, fields: ContainerFields = {}): Container {
  return { name: 'main', image: helloImage, command: ['sh', '-c', script], ...fields };
}

/** A pod of one container, or of those that `spec` names. */
export function shellPod(name: string, container: Container, spec: PodFields = {}): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name } },
    spec: { terminationGracePeriodSeconds: 1, containers: [container], ...spec },
  };
}

/** Waits, and ends at once when asked to. */
export const idle = 'trap "exit 0" TERM; while :; do sleep 1 & wait $!; done';

/** Answers on port 8080 with its pod's and its node's name, once it is ready. */
export function helloContainer(fields: ContainerFields = {}): Container {
  return {
    name: 'hello',
    image: helloImage,
    ports: [{ name: 'http', containerPort: 8080 }],
    readinessProbe: { httpGet: { path: '/', port: 'http' }, periodSeconds: 1 },
    ...fields,
    env: [
      { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      ...(fields.env ?? []),
    ],
  };
}

export function deployment(
  name: string,
  container: Container,
  spec: Partial<V1DeploymentSpec> = {},
): Manifest {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { terminationGracePeriodSeconds: 2, containers: [container] },
      },
      ...spec,
    },
  };
}

/** Leads port 80, or the one given, to the pods of an app. */
export function service(app: string, targetPort: number | string, port = 80): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: app },
    spec: { selector: { app }, ports: [{ name: 'main', port, targetPort }] },
  };
}

export function configMap(name: string, entries: Readonly<Record<string, string>>): Manifest {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: entries };
}

export function secret(name: string, entries: Readonly<Record<string, string>>): Manifest {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: entries };
}
