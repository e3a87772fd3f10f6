import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../api/config-map.ts';
import { orc } from '../../support/orc-cli.ts';
import { openTlsWorld, type TlsWorld } from '../../support/tls-world.ts';

let world: TlsWorld;

beforeAll(async () => {
  world = await openTlsWorld();
});

afterAll(() => world.close());

beforeEach(async () => {
  const input =
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, labels: {tier: one}}\ndata: {a: "1"}\n';
  await orc(['delete', 'cm/c', '--ignore-not-found'], { kubeconfig: world.kubeconfig });
  await orc(['apply', '-f', '-'], { kubeconfig: world.kubeconfig, input });
});

const run = (...args: readonly string[]) => orc(args, { kubeconfig: world.kubeconfig });
const stored = () => world.cache.get(ConfigMap, { namespace: 'default', name: 'c' });

describe('orc label and orc annotate', () => {
  it('set and take away, and say when nothing changed', async () => {
    expect(await run('label', 'cm/c', 'x.io/a=b', 'tier-')).toEqual({
      ...{ code: 0, out: 'configmap/c labeled\n', err: '' },
    });
    expect(stored()?.metadata.labels).toEqual({ 'x.io/a': 'b' });
    expect((await run('label', 'cm', 'c', 'x.io/a=b')).out).toBe(
      'configmap/c labeled (no change)\n',
    );
    expect((await run('annotate', 'cm/c', 'note=a=b')).out).toBe('configmap/c annotated\n');
    expect(stored()?.metadata.annotations).toEqual({ note: 'a=b' });
  });

  it('keep another value, unless told to overwrite it', async () => {
    expect(await run('label', 'cm/c', 'tier=two')).toEqual({
      ...{
        code: 1,
        out: '',
        err: 'orc: configmap/c has tier=one already; --overwrite changes it\n',
      },
    });
    const printed = await run(
      'label',
      'cm/c',
      'tier=two',
      '--overwrite',
      '-o',
      'jsonpath={.metadata.labels}',
    );
    expect(printed.out).toBe('{"tier":"two"}');
    const dry = await run('label', 'cm', '-l', 'tier=two', 'tier-', '--dry-run');
    expect(dry.out).toBe('configmap/c labeled (dry run)\n');
    expect(stored()?.metadata.labels).toEqual({ tier: 'two' });
  });

  it('refuse what makes no sense', async () => {
    const cases: readonly [args: string, err: string][] = [
      ['label cm/c', 'say which labels: KEY=VALUE sets one, KEY- takes it away'],
      ['label cm/c a=b a-', 'the same key is given twice'],
      ['annotate cm a=b', 'say which configmaps: names, -l LABELS or --all'],
      ['label cm/c a=b c', '"c" is neither KEY=VALUE nor KEY-'],
    ];
    for (const [args, err] of cases)
      expect(await run(...args.split(' '))).toEqual({ code: 2, out: '', err: `orc: ${err}\n` });
    expect((await run('label', 'cm', '-l', 'tier=none', 'a=b')).err).toBe('nothing is selected\n');
  });
});

describe('orc patch', () => {
  it('takes the three types, in YAML and JSON, and tells a place', async () => {
    expect(await run('patch', 'cm/c', '-p', 'data: {b: "2"}')).toEqual({
      ...{ code: 0, out: 'configmap/c patched\n', err: '' },
    });
    const merge = await run('patch', 'cm/c', '--type', 'merge', '-p', '{"data":{"b":"2"}}');
    expect(merge.out).toBe('configmap/c patched (no change)\n');
    const file = join(world.dir, 'patch.yaml');
    await writeFile(file, '- {op: remove, path: /data/b}\n');
    await run('patch', 'cm/c', '--type', 'json', '--patch-file', file);
    expect(stored()?.data).toEqual({ a: '1' });
    await writeFile(file, 'data:\n  a: "1"\n  a: "2"\n');
    expect(await run('patch', 'cm/c', '--patch-file', file)).toMatchObject({
      ...{ code: 2, err: `orc: ${file}:3:3  data.a is given twice\n` },
    });
    expect((await run('patch', 'cm/c')).code).toBe(2);
    expect((await run('patch', 'cm/c', '-p', 'dota: {}')).err).toContain('dota: unknown field');
  });
});

describe('orc edit', () => {
  /** An editor that runs these commands; `$1` is the file, `$n` how often it has been opened. */
  async function edit(commands: string) {
    const editor = join(world.dir, 'editor');
    const log = join(world.dir, 'opened');
    await writeFile(log, '');
    await writeFile(
      editor,
      `#!/bin/bash\ncat "$1" >> ${log}; echo "opened" >> ${log}\nn=$(grep -c ^opened ${log})\n${commands}\n`,
    );
    await chmod(editor, 0o700);
    const options = {
      kubeconfig: world.kubeconfig,
      env: { EDITOR: `bash ${editor}`, TMPDIR: world.dir },
    };
    const done = await orc(['edit', 'cm/c'], options);
    return { ...done, opened: await readFile(log, 'utf8') };
  }

  it('shows what a person may change, and changes that', async () => {
    const { code, out, err, opened } = await edit(`sed -i 's/a: "1"/a: "5"/' $1`);
    expect({ code, out, err }).toEqual({ code: 0, out: 'configmap/c edited\n', err: '' });
    expect(opened).toBe(
      `# configmap/c: save it and leave the editor to change it.
apiVersion: v1
kind: ConfigMap
metadata:
  name: c
  labels:
    tier: one
  namespace: default
data:
  a: "1"
opened
`,
    );
    expect(stored()?.data).toEqual({ a: '5' });
  });

  it('does nothing when nothing was changed', async () => {
    const before = stored()?.metadata.resourceVersion;
    expect(await edit('true')).toMatchObject({ code: 0, out: 'configmap/c unchanged\n' });
    expect(stored()?.metadata.resourceVersion).toBe(before);
  });

  it('comes back with what is wrong, by line, until it is right', async () => {
    const { out, opened } = await edit(
      `case $n in 1) sed -i 's/a: "1"/a: 1/' $1;; 2) sed -i 's/a: 1/a: [/' $1;; *) sed -i 's/a: \\[/a: "7"/' $1;; esac`,
    );
    expect(out).toBe('configmap/c edited\n');
    const told = opened.split('\n').filter((line) => line.startsWith('#   '));
    expect(told[0]).toBe('#   12:6  data.a: 1 must be a string, not a number');
    expect(told[1]).toMatch(/^# {3}13:1 {2}Flow sequence/);
    expect(opened.split('\n').filter((line) => line.startsWith('# It was'))).toHaveLength(2);
    expect(stored()?.data).toEqual({ a: '7' });
  });

  it('keeps the text of who gives up, and the object as it was', async () => {
    const { code, err } = await edit(`[ $n = 1 ] && sed -i 's/a: "1"/a: 1/' $1; true`);
    expect(code).toBe(1);
    const [, file = ''] =
      /^orc: configmap\/c was not changed; what you wrote is in (.*)\n$/.exec(err) ?? [];
    expect(await readFile(file, 'utf8')).toContain('  a: 1\n');
    expect(stored()?.data).toEqual({ a: '1' });
  });

  it('loses nobody else’s change', async () => {
    const other = (value: string) =>
      `${join(import.meta.dirname, '../../../orc')} patch cm/c -p 'data: {${value}}' >&2`;
    const beside = await edit(`${other('b: "2"')}; sed -i 's/a: "1"/a: "3"/' $1`);
    expect(beside.out).toBe('configmap/c edited\n');
    expect(stored()?.data).toEqual({ a: '3', b: '2' });
    const same = await edit(
      `[ $n = 1 ] && ${other('a: theirs')} && sed -i 's/a: "3"/a: mine/' $1; true`,
    );
    expect(same.code).toBe(1);
    expect(same.opened).toContain('somebody else has changed /data/a meanwhile\n');
    expect(stored()?.data).toEqual({ a: 'theirs', b: '2' });
  });
});
