import { type NftablesContext, openNftablesContext } from '../../native/nftables.ts';

/** Rules of the network namespace that this process was in when it was opened. Calls block: 50 µs and up. */
export type Nftables = ReturnType<typeof openNftables>;

export class NftablesError extends Error {
  override readonly name = 'NftablesError';
}

/** Throws NftablesError if libnftables is not installed. */
export function openNftables() {
  const context = newContext();
  return {
    /** Runs commands in nft's language as one transaction: all of it or nothing. Throws NftablesError. */
    applyRuleset(commands: string): void {
      const { status, error } = context.run(commands);
      if (status !== 0) throw new NftablesError(firstComplaint(error));
    },
    /** The objects of a table as libnftables-json(5) describes them; undefined: there is no such table. */
    listTable: (table: string) => listTable(context, table),
    close: () => context.close(),
  };
}

function newContext(): NftablesContext {
  try {
    return openNftablesContext();
  } catch (cause) {
    throw new NftablesError('opening nftables', { cause });
  }
}

function listTable(context: NftablesContext, table: string): readonly unknown[] | undefined {
  const tables = parse(context.runForJson('list tables')) ?? [];
  const name = (object: unknown) => {
    const found = (object as { table?: { family: string; name: string } }).table;
    return found && `${found.family} ${found.name}`;
  };
  if (!tables.some((object) => name(object) === table)) return undefined;
  return parse(context.runForJson(`list table ${table}`));
}

function parse(result: { status: number; output: string; error: string }): readonly unknown[] {
  if (result.status !== 0) throw new NftablesError(firstComplaint(result.error));
  return (JSON.parse(result.output) as { nftables: readonly unknown[] }).nftables;
}

/** nft repeats the whole command and marks the place below it; the first lines say what is wrong. */
const firstComplaint = (error: string): string =>
  error.trim().split('\n').slice(0, 3).join(' ').slice(0, 500) || 'nft failed without a word';
