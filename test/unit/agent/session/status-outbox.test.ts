import { describe, expect, it } from 'vitest';
import type { ReportedStatus } from '../../../../agent/session/session-options.ts';
import { statusOutbox } from '../../../../agent/session/status-outbox.ts';
import { fakeClock } from '../../../support/fake-clock.ts';

function anOutbox() {
  const clock = fakeClock();
  const board = new Map<string, ReportedStatus>();
  let changed: (uid: string) => void = () => {};
  const sent: string[][] = [];
  let hasRoom = true;
  const outbox = statusOutbox({
    source: {
      statuses: () => board,
      onChange(listener) {
        changed = listener;
        return () => (changed = () => {});
      },
    },
    clock,
    send(pods) {
      sent.push(pods.map(({ uid, statusJson }) => `${uid} ${JSON.parse(statusJson).phase}`));
      return hasRoom;
    },
  });
  const report = (uid: string, phase: 'Running' | 'Failed') => {
    board.set(uid, {
      uid,
      namespace: 'default',
      name: uid,
      generation: { epoch: 1, revision: 1 },
      status: { phase },
      terminated: false,
    });
    changed(uid);
  };
  const fill = (full: boolean) => {
    hasRoom = !full;
    if (!full) outbox.drained();
  };
  return { outbox, clock, sent, report, fill };
}

describe('the statuses on their way', () => {
  it('go at once when they come alone, and together within 20 ms', () => {
    const { clock, sent, report } = anOutbox();
    report('a', 'Running');
    clock.advance(0);
    expect(sent).toEqual([['a Running']]);
    report('b', 'Running');
    report('c', 'Running');
    clock.advance(19);
    expect(sent).toHaveLength(1);
    clock.advance(1);
    expect(sent).toEqual([['a Running'], ['b Running', 'c Running']]);
  });

  it('are only the newest ones of those that changed', () => {
    const { clock, sent, report, fill } = anOutbox();
    fill(true);
    report('a', 'Running');
    clock.advance(20);
    report('b', 'Running');
    report('b', 'Failed');
    clock.advance(1000);
    expect(sent).toHaveLength(1);
    fill(false);
    clock.advance(20);
    expect(sent).toEqual([['a Running'], ['b Failed']]);
  });

  it('are all of them after a new connection', () => {
    const { outbox, clock, sent, report } = anOutbox();
    report('a', 'Running');
    report('b', 'Running');
    clock.advance(20);
    outbox.sendAll();
    clock.advance(20);
    expect(sent[1]).toEqual(['a Running', 'b Running']);
  });

  it('end with the connection', () => {
    const { outbox, clock, sent, report } = anOutbox();
    report('a', 'Running');
    outbox.close();
    report('b', 'Running');
    clock.advance(1000);
    expect(sent).toEqual([]);
  });
});
