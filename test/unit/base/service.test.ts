import { fstatSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openService, readServiceConfig, type ServiceConfig } from '../../../base/service.ts';
import { fakeClock } from '../../support/fake-clock.ts';

async function serviceOf(config: ServiceConfig | undefined) {
  const clock = fakeClock();
  const told: string[] = [];
  const records: Readonly<Record<string, string>>[] = [];
  const manager = {
    notify: (state: string) => void told.push(state),
    journal: (fields: Readonly<Record<string, string>>) => void records.push(fields),
  };
  const service = await openService('orc-test', config, { clock, load: async () => manager });
  const pass = async (seconds: number) => {
    for (let second = 0; second < seconds; second++) {
      clock.advance(1000);
      await setImmediate();
    }
    return told.splice(0);
  };
  return { service, pass, records };
}

const watched = { notify: true, watchdogMs: 10_000, journal: false };

describe('a service under systemd', () => {
  it('says that it is ready, gives signs of life twice in the watchdog’s time, and says that it stops', async () => {
    const { service, pass } = await serviceOf(watched);
    const stopping = service.ready({ status: () => 'well', isAlive: async () => true });
    expect(await pass(8)).toEqual(['READY=1\nSTATUS=well', 'WATCHDOG=1', 'WATCHDOG=1']);
    stopping();
    expect(await pass(20)).toEqual(['STOPPING=1']);
  });

  it('tells a status when it has changed', async () => {
    let pods = 1;
    const { service, pass } = await serviceOf({ ...watched, watchdogMs: undefined });
    service.ready({ status: () => `${pods} pods`, isAlive: async () => true });
    await pass(1);
    pods = 2;
    expect(await pass(100)).toEqual(['STATUS=2 pods']);
  });

  it.each([
    ['fails', () => Promise.reject(new Error('no'))],
    ['hangs', () => new Promise(() => {})],
  ])('is silent while its work %s', async (_, isAlive) => {
    const { service, pass } = await serviceOf(watched);
    service.ready({ status: () => '', isAlive });
    await pass(1);
    expect(await pass(100)).toEqual([]);
  });

  it('writes its log to the journal if that has its standard error', async () => {
    const { service, records } = await serviceOf({ ...watched, journal: true });
    service.logSink?.({ level: 30, time: 0, msg: 'hello' });
    expect(records).toMatchObject([{ MESSAGE: 'hello', SYSLOG_IDENTIFIER: 'orc-test' }]);
    expect((await serviceOf(watched)).service.logSink).toBeUndefined();
  });
});

it('reads from the environment what systemd expects', () => {
  const { dev, ino } = fstatSync(2);
  const [none, other] = [{ JOURNAL_STREAM: '0:0' }, { WATCHDOG_PID: '1' }];
  const all = { NOTIFY_SOCKET: '/run/n', WATCHDOG_USEC: '30000000' };
  expect(readServiceConfig(none)).toBeUndefined();
  expect(readServiceConfig({ ...all, ...other })?.watchdogMs).toBeUndefined();
  expect(readServiceConfig({ ...all, JOURNAL_STREAM: `${dev}:${ino}` })).toEqual({
    ...{ notify: true, watchdogMs: 30_000, journal: true },
  });
});
