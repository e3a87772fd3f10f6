import { expect, it } from 'vitest';
import { stopSignalNumber } from '../../../../agent/pods/stop-signal.ts';

it.each([
  [undefined, 15],
  ['SIGQUIT', 3],
  ['QUIT', 3],
  ['sigwinch', 28],
  ['9', 9],
  ['37', 37],
  ['SIGRTMIN', 34],
  ['SIGRTMIN+3', 37],
  ['RTMIN+3', 37],
  ['SIGRTMAX-1', 63],
  ['SIGRTMAX', 64],
  ['SIGRTMIN+31', 15],
  ['0', 15],
  ['65', 15],
  ['-1', 15],
  ['SIGNOPE', 15],
  ['constructor', 15],
  ['', 15],
])('takes %s for %i', (stopSignal, expected) => {
  expect(stopSignalNumber(stopSignal)).toBe(expected);
});
