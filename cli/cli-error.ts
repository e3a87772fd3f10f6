/** Something the user should read: what, where, why, and what to do next. Shown as `orc: …`; the exit code is 1. */
export class CliError extends Error {
  override readonly name = 'CliError';
}

/** The command has said what was wrong already; all that is left is its exit code. */
export class AlreadyTold extends Error {
  override readonly name = 'AlreadyTold';
  readonly exitCode: number;

  constructor(exitCode: number) {
    super('already told');
    this.exitCode = exitCode;
  }
}
