import { createInterface } from 'node:readline/promises';
import { UsageError } from '../base/flags.ts';
import type { Io } from './io.ts';

/** Gives what is answered. Throws UsageError where nobody is there to be asked. */
export async function ask({ stdin }: Pick<Io, 'stdin'>, question: string): Promise<string> {
  if (!stdin.isTTY) throw new UsageError('nobody is there to be asked: give --yes');
  const asked = createInterface({ input: stdin, output: process.stderr });
  const answer = await asked.question(question);
  asked.close();
  return answer.trim();
}
