import { describe, expect, it } from 'vitest';
import {
  formatFinding,
  type HostFacts,
  hostFaults,
  hostNeeds,
  judge,
  kernelFault,
} from '../../../../agent/doctor/checks.ts';

const healthy: HostFacts = {
  ...{ takenPorts: [], isClockSynchronised: true, secondsOff: 0 },
  ...{ freeDiskPercent: 50, freeInodesPercent: 100, memoryBytes: 2 ** 30, hasSwap: false },
  ...{ isHostnameKnown: true, routes: ['0.0.0.0/0', '192.168.1.0/24'] },
  ...{ clusterCidrs: ['10.244.0.0/14', '10.96.0.0/16'], droppingChains: [] },
};

const troubles = (facts: Partial<HostFacts>) =>
  judge(hostNeeds, hostFaults({ ...healthy, ...facts }))
    .filter(({ result }) => result !== 'ok')
    .map(({ result, what, found }) => `${result} ${what}: ${found}`);

describe('orc doctor', () => {
  it.each<[string, Partial<HostFacts>, readonly string[]]>([
    ['a healthy host', {}, []],
    ['a clock that can’t be compared', { secondsOff: undefined }, []],
    ['taken ports', { takenPorts: [53, 6443] }, ['FAIL ports: something else listens at 53, 6443']],
    ['a free clock', { isClockSynchronised: false }, ['warn clock set by the network: it is not']],
    [
      'no time service',
      { isClockSynchronised: undefined },
      ['warn clock set by the network: unknown'],
    ],
    [
      'a late clock',
      { secondsOff: -61 },
      ["FAIL the controller's time: this clock is off by -61 seconds"],
    ],
    [
      'a full disk',
      { freeDiskPercent: 9.9 },
      ['FAIL room on the disk: 9% of bytes or inodes are free: the node gets no pods'],
    ],
    [
      'no inodes',
      { freeInodesPercent: 0 },
      ['FAIL room on the disk: 0% of bytes or inodes are free: the node gets no pods'],
    ],
    ['little memory', { memoryBytes: 2 ** 29 }, ['warn memory: only 512 MiB']],
    ['swap', { hasSwap: true }, ['remark no swap: there is some']],
    [
      'a nameless host',
      { isHostnameKnown: false },
      ['warn the name of this host: it has no address'],
    ],
    [
      'a network in the pods’',
      { routes: ['10.245.3.0/24'] },
      ["FAIL the cluster's addresses: 10.245.3.0/24 is routed elsewhere already"],
    ],
    [
      'a network around the Services’',
      { routes: ['10.64.0.0/10'] },
      ["FAIL the cluster's addresses: 10.64.0.0/10 is routed elsewhere already"],
    ],
    ['a neighbouring network', { routes: ['10.97.0.0/16', '10.248.0.0/14'] }, []],
    [
      'Docker',
      { droppingChains: ['ip filter FORWARD'] },
      ['warn no firewall before pods: ip filter FORWARD drops by default'],
    ],
  ])('says what is wrong with %s', (_, facts, expected) => {
    expect(troubles(facts)).toEqual(expected);
  });

  it.each([
    ['5.10.0-28-amd64', true],
    ['5.18.19', true],
    ['5.19.0-rc1', false],
    ['6.1.0-18-amd64', false],
    ['10.0.1', false],
  ])('takes kernel %s for too old: %s', (release, isOld) => {
    expect(kernelFault(release) !== undefined).toBe(isOld);
  });

  it('says how to mend it, in one line', () => {
    const [finding] = judge(hostNeeds, { ports: 'taken' });
    expect(finding && formatFinding(finding)).toBe(
      'FAIL   ports: taken — ss -lntp tells who has them; see api-address and agent-address',
    );
  });
});
