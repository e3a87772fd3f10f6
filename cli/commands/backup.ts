import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { about } from '../../base/error-chain.ts';
import { defineVerb } from '../define-verb.ts';

const notes = `
The file has all that \`orc restore\` needs: every object, the cluster's authority and the key of its
Secrets. Whoever has it is the cluster's master: it is made readable for you alone, keep it so. Keep
besides: /etc/orc, and what your volumes and registries hold.`;

export const defineBackup = defineVerb({
  words: { '<file>': 'what is there is replaced, once the new one is whole' },
  notes,
  async run(cli, [file = '']) {
    const unfinished = `${file}.unfinished`;
    await rm(unfinished, { force: true });
    try {
      const answer = await cli.api.open({ path: '/orc/v1/backup' });
      const target = createWriteStream(unfinished, { flags: 'wx', mode: 0o600, flush: true });
      await about('the backup did not become whole', pipeline(answer, target));
      await rename(unfinished, file);
    } finally {
      await rm(unfinished, { force: true });
    }
    cli.out(`${file}: keep it safe, it holds the cluster's keys`);
  },
});
