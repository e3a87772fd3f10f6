/** The errors of one boundary. `reason` is a word of its closed table. */
export class ReasonError<R extends string> extends Error {
  readonly reason: R;
  constructor(reason: R, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
