import { expect, it } from 'vitest';
import { formatLine, formatRecord, journalFields } from '../../../base/log-text.ts';

const started = {
  ...{ level: 30, time: 0, msg: 'sandbox started', component: 'pods' },
  ...{ pod: 'web-1', path: '/a b', durationMs: 11.9 },
};
const lost = {
  level: 40,
  time: 0,
  msg: 'controller lost',
  err: { message: 'reset', stack: 'at x' },
};

it.each([
  [started, 'pods: sandbox started pod=web-1 path="/a b" durationMs=12'],
  [lost, 'controller lost: reset'],
  [{ ...lost, err: 'odd' }, 'controller lost: "odd"'],
])('reads as prose: %j', (record, expected) => {
  expect(formatRecord(record)).toBe(expected);
});

it('is a line with time and level on a terminal', () => {
  expect(formatLine(lost)).toMatch(/^\d\d:\d\d:\d\d WARN {2}controller lost: reset\n$/);
});

it('has its fields in the journal', () => {
  expect(journalFields(started, 'orc-agent')).toEqual({
    MESSAGE: formatRecord(started),
    PRIORITY: '6',
    SYSLOG_IDENTIFIER: 'orc-agent',
    ORC_EVENT: 'sandbox started',
    ORC_COMPONENT: 'pods',
    ORC_POD: 'web-1',
    ORC_PATH: '/a b',
    ORC_DURATION_MS: '11.9',
  });
  expect(journalFields(lost, 'orc-agent')).toMatchObject({
    ...{ PRIORITY: '4', ORC_ERROR: 'reset', ORC_STACK: 'at x' },
  });
});
