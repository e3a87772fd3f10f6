import { afterEach, describe, expect, it } from 'vitest';
import { type Prober, startProber } from '../../../../agent/pods/prober.ts';
import type { ContainerPort } from '../../../../agent/ports.ts';
import { type FakeExec, fakeExecSession } from '../../../contract/fakes/fake-exec-session.ts';
import { aPod } from '../../../support/a-pod.ts';
import { fakeClock } from '../../../support/fake-clock.ts';
import { quiet } from '../../../support/pod-world.ts';

const probers: Prober[] = [];
afterEach(() => {
  for (const prober of probers.splice(0)) prober.stop();
});

/** Each kind's check runs the command of its name; `answers` says how it ends. */
async function probing(probes: Readonly<Record<string, object>>) {
  const clock = fakeClock();
  const answers: Record<string, FakeExec> = {};
  const checks: string[] = [];
  const failures: string[] = [];
  let changes = 0;
  const fields = Object.entries(probes).map(([kind, probe]) => [
    `${kind}Probe`,
    { periodSeconds: 10, exec: { command: [kind] }, ...probe },
  ]);
  const container = aPod({
    containers: [{ name: 'web', image: 'web:1', ...Object.fromEntries(fields) }],
  }).spec.containers[0]!;
  const exec: ContainerPort['exec'] = async (_, { command: [kind = ''] }) => {
    checks.push(`${clock.now() / 1000} ${kind}`);
    return fakeExecSession(answers[kind] ?? { exitCode: 0 });
  };
  const id = { uid: 'uid-1', name: 'web', attempt: 0 };
  const prober = startProber({
    target: { id, container, podIp: '127.0.0.1', containers: { exec } },
    clock,
    onChange: () => void changes++,
    onFailure: (kind, why) => void failures.push(`${kind}: ${why}`),
  });
  probers.push(prober);
  const now = async () => {
    clock.advance(0);
    await quiet();
  };
  // What is due at once: the first check, and after a startup probe the first one of the others.
  await now();
  await now();
  return {
    ...{ prober, answers, checks, failures },
    changes: () => changes,
    async elapse(seconds: number) {
      for (let second = 0; second < seconds; second++) {
        clock.advance(1000);
        await quiet();
      }
    },
  };
}

const undecided = { startup: undefined, readiness: undefined, liveness: undefined };

describe('the prober of a container', () => {
  it('checks after the initial delay, then once per period', async () => {
    const { checks, elapse } = await probing({
      readiness: { initialDelaySeconds: 5, periodSeconds: 3 },
    });
    await elapse(12);
    expect(checks).toEqual(['5 readiness', '8 readiness', '11 readiness']);
  });

  it('begins with the others once the startup probe has succeeded, which then ends', async () => {
    const { checks, elapse, answers, prober } = await probing({
      startup: { periodSeconds: 2, failureThreshold: 30 },
      liveness: {},
      readiness: {},
    });
    expect(prober.states()).toEqual({
      ...undecided,
      startup: true,
      readiness: true,
      liveness: true,
    });
    await elapse(10);
    expect(checks.filter((c) => c.endsWith('startup'))).toEqual(['0 startup']);
    answers['liveness'] = { exitCode: 1 };
    expect(checks).toEqual([
      ...['0 startup', '0 readiness', '0 liveness'],
      ...['10 readiness', '10 liveness'],
    ]);
  });

  it('never begins with the others when the startup probe fails for good', async () => {
    const world = await probing({
      startup: { initialDelaySeconds: 1, periodSeconds: 1, failureThreshold: 2 },
      liveness: {},
    });
    world.answers['startup'] = { exitCode: 1, stdout: 'booting' };
    await world.elapse(20);
    expect(world.prober.states()).toEqual({ ...undecided, startup: false });
    expect(world.checks).toEqual(['1 startup', '2 startup']);
    expect(world.failures).toEqual(Array(2).fill('startup: booting'));
  });

  it('tells of changed verdicts only', async () => {
    const world = await probing({ readiness: { periodSeconds: 1, failureThreshold: 2 } });
    expect(world.changes()).toBe(1);
    world.answers['readiness'] = { exitCode: 1 };
    await world.elapse(1);
    expect(world.changes()).toBe(1);
    await world.elapse(5);
    expect(world.changes()).toBe(2);
    expect(world.failures).toHaveLength(6);
  });

  it('counts a check that takes too long as failed', async () => {
    const world = await probing({
      liveness: {
        initialDelaySeconds: 1,
        timeoutSeconds: 2,
        periodSeconds: 5,
        failureThreshold: 1,
      },
    });
    world.answers['liveness'] = { exitCode: undefined };
    await world.elapse(2);
    expect(world.prober.states().liveness).toBeUndefined();
    await world.elapse(1);
    expect(world.prober.states().liveness).toBe(false);
    expect(world.failures).toEqual(['liveness: probe: no answer within 2000 ms']);
  });

  it('checks nothing more once it is stopped, and keeps its verdicts', async () => {
    const world = await probing({ readiness: { periodSeconds: 1 } });
    world.prober.stop();
    world.answers['readiness'] = { exitCode: 1 };
    await world.elapse(10);
    expect(world.checks).toEqual(['0 readiness']);
    expect(world.prober.states().readiness).toBe(true);
  });
});
