import type { Clock } from '../../base/clock.ts';
import type { Output } from '../io.ts';

/**
 * One line that changes: redrawn on a terminal; in a pipe a plain line when the text has changed, at most one in
 * `plainEveryMs`, and always the last.
 */
export interface Progress {
  update(text: string): void;
  /** A line that stays, above the changing one. */
  note(line: string): void;
  /** Ends the changing line; with a text, that is the last of it. */
  end(text?: string): void;
}

const plainEveryMs = 2_000;

export const openProgress = (output: Output, clock: Clock): Progress =>
  output.isTTY ? terminalProgress(output) : plainProgress(output, clock);

function terminalProgress(output: Output): Progress {
  let shown = '';
  const erase = '\r\u001b[2K';
  const draw = (text: string) => {
    const width = (output.columns ?? 80) - 1;
    const cut = text.length > width ? `${text.slice(0, width - 1)}…` : text;
    if (cut !== shown) output.write(erase + cut);
    shown = cut;
  };
  return {
    update: draw,
    note(line) {
      output.write(`${shown === '' ? '' : erase}${line}\n${shown}`);
    },
    end(text) {
      if (text !== undefined) output.write(`${shown === '' ? '' : erase}${text}\n`);
      else if (shown !== '') output.write(erase);
      shown = '';
    },
  };
}

function plainProgress(output: Output, clock: Clock): Progress {
  let last: string | undefined;
  let nextMs = clock.monotonic() + plainEveryMs;
  const print = (text: string) => {
    if (text !== last) output.write(`${text}\n`);
    last = text;
  };
  return {
    update(text) {
      if (clock.monotonic() < nextMs) return;
      nextMs = clock.monotonic() + plainEveryMs;
      print(text);
    },
    note: (line) => void output.write(`${line}\n`),
    end(text) {
      if (text !== undefined) print(text);
    },
  };
}
