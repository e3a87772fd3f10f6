import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findKubectls, type Kubectl, startKubectl } from '../../support/kubectl.ts';
import { openRecordedWorld } from '../../support/recorded-world.ts';
import { waitFor } from '../../support/wait-for.ts';
import { type Conversation, conversations } from './conversations.ts';
import { type Exchange, ending, replay, snapshot, startRecorder } from './recording.ts';

/**
 * What the oldest and the newest kubectl said to the server for each command, and what it answered, in recorded/: said again without
 * any kubectl. UPDATE=1 records anew, with the kubectls that are here.
 */
const directory = join(import.meta.dirname, 'recorded');
const versions = ['1.27', '1.33'];
const isUpdate = process.env.UPDATE === '1';

const recordAll = () =>
  it.each(Object.entries(conversations))('%s', async (name, conversation) => {
    const spoken: (readonly Exchange[])[] = [];
    for (const version of versions) {
      const kubectl = findKubectls().find((one) => one.version === version);
      if (!kubectl) throw new Error(`there is no kubectl.${version}`);
      spoken.push(await record(kubectl, conversation));
    }
    await mkdir(directory, { recursive: true });
    const lines = merged(spoken).map((exchange) => `${JSON.stringify(exchange)}\n`);
    await writeFile(join(directory, `${name}.jsonl`), lines.join(''));
  });

const replayAll = () => {
  it.each(Object.keys(conversations))('%s', async (name) => {
    const text = await readFile(join(directory, `${name}.jsonl`), 'utf8');
    const lines: Exchange[] = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.length).toBeGreaterThan(0);
    for (const version of versions) {
      const recorded = lines.filter(({ by = version }) => by === version);
      const world = await openRecordedWorld();
      try {
        expect(await replay(world, recorded)).toEqual(recorded);
      } finally {
        await world.close();
      }
    }
  });

  it('keeps nothing that no command says, and little', async () => {
    const files = await readdir(directory);
    expect(files.sort()).toEqual(
      Object.keys(conversations)
        .map((name) => `${name}.jsonl`)
        .sort(),
    );
    const sizes = await Promise.all(
      files.map(async (file) => (await readFile(join(directory, file))).length),
    );
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(400_000);
  });
};

describe(
  isUpdate ? 'records' : 'answers as it did when it was recorded',
  isUpdate ? recordAll : replayAll,
);

async function record(kubectl: Kubectl, conversation: Conversation): Promise<readonly Exchange[]> {
  const world = await openRecordedWorld();
  const before = snapshot(world);
  const recorder = await startRecorder(world);
  try {
    const { args, input, editor, code = 0, until } = conversation;
    const running = startKubectl(kubectl, ['--server', recorder.url, ...args.split(' ')], {
      ...{ kubeconfig: '/dev/null', cacheDir: world.dir },
      ...(input && { input: JSON.stringify(input) }),
      env: { TMPDIR: world.dir, ...(editor !== undefined && { KUBE_EDITOR: editor }) },
    });
    if (until !== undefined) {
      await waitFor(until, () => running.out().includes(until));
      running.stop();
    }
    const ended = await running.ended;
    if (until === undefined) expect(ended, ended.err).toMatchObject({ code });
    return [...(await recorder.stop()), await ending(world, before)];
  } finally {
    await recorder.stop();
    await world.close();
  }
}

/** What both said at the same place is kept once. */
function merged([old = [], young = []]: readonly (readonly Exchange[])[]): readonly Exchange[] {
  const length = Math.max(old.length, young.length);
  return Array.from({ length }, (_, i) => i).flatMap((i) => {
    const [a, b] = [old[i], young[i]];
    if (JSON.stringify(a) === JSON.stringify(b)) return a ? [a] : [];
    return [a && { by: versions[0] ?? '', ...a }, b && { by: versions[1] ?? '', ...b }].filter(
      (one) => one !== undefined,
    );
  });
}
