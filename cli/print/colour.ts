import type { Io, Output } from '../io.ts';

/** Paints words on a terminal, and leaves them alone elsewhere. */
export type Paint = (style: Style, text: string) => string;
export type Style = keyof typeof codes;

const codes = { good: '32', busy: '33', bad: '31', dim: '2', bold: '1' };

export const paintOn = (output: Output, { environment }: Pick<Io, 'environment'>): Paint =>
  output.isTTY && !environment.noColour
    ? (style, text) => `\u001b[${codes[style]}m${text}\u001b[0m`
    : (_, text) => text;

/** How a STATUS cell should look; undefined: as everything else. */
export function styleOf(word: string): Style | undefined {
  if (good.test(word)) return 'good';
  if (bad.test(word)) return 'bad';
  return busy.test(word) ? 'busy' : undefined;
}

const good = /^(Running|Ready|True|Active|Bound|Completed|Succeeded|Normal)$/;
const bad =
  /Err|Error|BackOff|Failed|NotReady|Unknown|OOMKilled|Lost|Evicted|ExitCode|Signal:|Warning|False/;
const busy = /Pending|Creating|Terminating|Initializing|Init:|SchedulingDisabled/;

/** One line, without what a terminal would obey: others have written it, containers perhaps. Pure. */
export const printable = (text: string) => text.replace(/\s*\p{Cc}[\s\p{Cc}]*/gu, ' ');
