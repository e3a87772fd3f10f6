import { writeSync } from 'node:fs';
import { openSqliteStore } from '../../controller/store/sqlite-store.ts';

/**
 * A process to be killed: writes to the store at argv[2] from several writers and prints every acknowledged key and
 * value as a line, synchronously, before it writes the next. Keys start with argv[3].
 */
const [, , path = '', prefix = ''] = process.argv;
const store = await openSqliteStore({ path });

const writer = async (id: number) => {
  for (let i = 0; ; i++) {
    const key = `/${prefix}/${id}/${i}`;
    const value = new TextEncoder().encode(`${i}`.repeat(50));
    const outcome = await store.commit({ expect: [], puts: [{ key, value }], deletes: [] });
    if (outcome.committed) writeSync(1, `${key} ${outcome.revision}\n`);
  }
};

await Promise.all(Array.from({ length: 8 }, (_, id) => writer(id)));
