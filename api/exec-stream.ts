/** One running command. After `exited` has settled nothing more is called or taken. */
export interface ExecStream<Exit = { readonly exitCode: number }> {
  /** Standard input. False: taken, but wait for `onDrain` before writing more. */
  write(chunk: Uint8Array): boolean;
  onDrain(listener: () => void): void;
  /** Half-close: the command reads end of file. Output goes on. */
  endInput(): void;
  resize(columns: number, rows: number): void;
  /** Output from the beginning, whenever the listener is set (it is set in the tick in which exec resolves). */
  onOutput(listener: (stream: 'stdout' | 'stderr', chunk: Buffer) => void): void;
  /** Back-pressure: no output until `resume`; the command blocks when its pipe is full. */
  pause(): void;
  resume(): void;
  /** After the last output: 0…255, 128 + signal when killed. Rejects with a StatusError; on the node itself, an OpError. */
  readonly exited: Promise<Exit>;
  /** Hangs up; the command is killed. `exited` then rejects or resolves, soon. Safe to repeat. */
  close(): void;
}
