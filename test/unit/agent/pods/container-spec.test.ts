import { describe, expect, it } from 'vitest';
import {
  containerNamed,
  containerSpec,
  podResources,
} from '../../../../agent/pods/container-spec.ts';
import type { VolumeSource } from '../../../../agent/ports.ts';
import { anAssignment, aPod, webImage } from '../../../support/a-pod.ts';

type Json = Readonly<Record<string, unknown>>;

const data: VolumeSource = { kind: 'directory', name: 'data', path: '/v/data', readOnly: false };

function specOf(container: Json = {}, spec: Json = {}) {
  const assignment = anAssignment({
    containers: [{ name: 'web', image: 'web:1', ...container }],
    volumes: [{ name: 'data', emptyDir: {} }],
    ...spec,
  });
  return containerSpec({
    assignment,
    container: assignment.pod.spec.containers[0]!,
    attempt: 2,
    image: webImage,
    variables: new Map([
      ['HOST', 'db'],
      ['PORT', '5432'],
    ]),
    volumes: new Map([['data', data]]),
    logPath: '/logs/2.log',
  });
}

describe('a container of a pod', () => {
  it('leaves to the image what the pod does not say', () => {
    expect(specOf()).toEqual({
      id: { uid: 'uid-1', name: 'web', attempt: 2 },
      image: webImage,
      command: undefined,
      args: undefined,
      env: ['HOST=db', 'PORT=5432'],
      workingDir: undefined,
      mounts: [],
      resources: {
        cpuRequestMilli: undefined,
        cpuLimitMilli: undefined,
        memoryLimitBytes: undefined,
        pidsLimit: 1024,
      },
      security: {
        privileged: false,
        runAsUser: undefined,
        runAsGroup: undefined,
        runAsNonRoot: false,
        supplementalGroups: [],
        fsGroup: undefined,
        capabilitiesAdd: [],
        capabilitiesDrop: [],
        readOnlyRootFilesystem: false,
        allowPrivilegeEscalation: true,
        seccomp: 'RuntimeDefault',
      },
      logPath: '/logs/2.log',
      terminal: false,
      stdin: 'none',
    });
  });

  it.each([
    [
      { stdin: true, tty: true },
      { stdin: 'open', terminal: true },
    ],
    [
      { stdin: true, stdinOnce: true },
      { stdin: 'once', terminal: false },
    ],
    [{ stdinOnce: true }, { stdin: 'none', terminal: false }],
  ])('has the streams of %j', (container, expected) => {
    expect(specOf(container)).toMatchObject(expected);
  });

  it('has variables in its command and arguments replaced', () => {
    const { command, args } = specOf({ command: ['/$(HOST)'], args: ['$(PORT)', '$(NOPE)'] });
    expect({ command, args }).toEqual({ command: ['/db'], args: ['5432', '$(NOPE)'] });
  });

  it('has its mounts', () => {
    const volumeMounts = [
      { name: 'data', mountPath: '/data' },
      { name: 'data', mountPath: '/logs', subPath: 'logs', readOnly: true },
    ];
    expect(specOf({ volumeMounts }).mounts).toEqual([
      { source: data, mountPath: '/data', subPath: '', readOnly: false },
      { source: data, mountPath: '/logs', subPath: 'logs', readOnly: true },
    ]);
  });

  it('follows the pod’s security context where it has none of its own', () => {
    const securityContext = {
      ...{ runAsUser: 1000, runAsGroup: 1001, runAsNonRoot: true, fsGroup: 1002 },
      supplementalGroups: [7],
      seccompProfile: { type: 'Unconfined' },
    };
    expect(specOf({}, { securityContext }).security).toMatchObject({
      ...{ runAsUser: 1000, runAsGroup: 1001, runAsNonRoot: true, fsGroup: 1002 },
      ...{ supplementalGroups: [7], seccomp: 'Unconfined' },
    });
    const own = { securityContext: { runAsUser: 5, seccompProfile: { type: 'RuntimeDefault' } } };
    expect(specOf(own, { securityContext }).security).toMatchObject({
      ...{ runAsUser: 5, runAsGroup: 1001, seccomp: 'RuntimeDefault' },
    });
  });

  it.each([
    [{ type: 'Localhost', localhostProfile: 'web' }, undefined, 'web'],
    [{ type: 'Localhost', localhostProfile: 'web' }, { type: 'Unconfined' }, 'unconfined'],
    [{ type: 'Unconfined' }, { type: 'RuntimeDefault' }, undefined],
    [undefined, undefined, undefined],
  ])('has the AppArmor profile of %j and %j', (ofPod, own, expected) => {
    const context = (appArmorProfile?: object) => ({ securityContext: { appArmorProfile } });
    expect(specOf(context(own), context(ofPod)).security.appArmor).toBe(expected);
  });

  it('has no filter of system calls when it is privileged', () => {
    expect(specOf({ securityContext: { privileged: true } }).security).toMatchObject({
      ...{ privileged: true, seccomp: 'Unconfined' },
    });
  });
});

describe('resources', () => {
  const limited = (name: string, cpu: string, memory: string) => ({
    ...{ name, image: 'web:1' },
    resources: { limits: { cpu, memory } },
  });
  const free = { name: 'free', image: 'web:1' };

  it('are in the kernel’s units', () => {
    expect(specOf(limited('web', '1500m', '64Mi')).resources).toEqual({
      ...{ cpuRequestMilli: 1500, cpuLimitMilli: 1500, memoryLimitBytes: 67_108_864 },
      pidsLimit: 1024,
    });
  });

  it.each<[string, Json, Json]>([
    [
      'are summed up for the pod',
      { containers: [limited('a', '1', '1Mi'), limited('b', '500m', '2Mi')] },
      { cpuRequestMilli: 1500, cpuLimitMilli: 1500, memoryLimitBytes: 3_145_728 },
    ],
    [
      'have no limit for the pod where one container has none',
      { containers: [limited('a', '1', '1Mi'), free] },
      { cpuRequestMilli: 1000, cpuLimitMilli: undefined, memoryLimitBytes: undefined },
    ],
    [
      'leave room for the largest init container',
      {
        containers: [limited('a', '1', '1Mi')],
        initContainers: [limited('init', '3', '512Ki')],
      },
      { cpuRequestMilli: 1000, cpuLimitMilli: 3000, memoryLimitBytes: 1_048_576 },
    ],
  ])('%s', (_, spec, expected) => {
    expect(podResources(anAssignment(spec))).toEqual({ ...expected, pidsLimit: undefined });
  });
});

it('finds containers and init containers by name', () => {
  const pod = aPod({ initContainers: [{ name: 'init', image: 'i:1' }] });
  const images = ['web', 'init', 'nope'].map((name) => containerNamed(pod, name)?.image);
  expect(images).toEqual(['web:1', 'i:1', undefined]);
});
