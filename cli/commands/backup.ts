import { defineVerb } from '../define-verb.ts';
import { saveWhole } from '../save-whole.ts';

const notes = `
The file has all that \`orc restore\` needs: every object, the cluster's authority and the key of its
Secrets. Whoever has it is the cluster's master: it is made readable for you alone, keep it so. Keep
besides: /etc/orc, and what your volumes and registries hold.`;

export const defineBackup = defineVerb({
  words: { '<file>': 'what is there is replaced, once the new one is whole' },
  notes,
  async run(cli, [file = '']) {
    await saveWhole(file, await cli.api.open({ path: '/orc/v1/backup' }), 'the backup');
    cli.out(`${file}: keep it safe, it holds the cluster's keys`);
  },
});
