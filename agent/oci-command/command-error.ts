/** What is said to whoever called: one line. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}
