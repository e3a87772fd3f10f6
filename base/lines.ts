/** Each up to its "\n", without it. Not readline's: that one ends lines at U+2028 too, which JSON may have in its strings. */
export async function* linesOf(input: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const begun: string[] = [];
  for await (const chunk of input) {
    const [first = '', ...others] = decoder.decode(chunk, { stream: true }).split('\n');
    begun.push(first);
    for (const next of others) {
      yield begun.splice(0).join('');
      begun.push(next);
    }
  }
  const last = begun.join('') + decoder.decode();
  if (last !== '') yield last;
}
