import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CustomResourceDefinition } from '../../../api/custom-resource-definition.ts';
import { controllerLoops } from '../../../controller/controllers/controller-loops.ts';
import { orc } from '../../support/orc-cli.ts';
import { openTlsWorld, type TlsWorld } from '../../support/tls-world.ts';

let world: TlsWorld;
let path: string;
let definition: string;

beforeAll(async () => {
  const names = ['definition-controller', 'namespace-controller', 'garbage-collector'];
  const loops = controllerLoops().loops.filter(({ name }) => names.includes(name));
  world = await openTlsWorld({ loops });
  path = join(world.dir, 'garden.yaml');
  const source = join(import.meta.dirname, '../../support/greenhouse-definition.yaml');
  definition = await readFile(source, 'utf8');
});

afterAll(() => world.close());

/** The file's path is shortened. */
async function run(...args: readonly string[]) {
  const { code, out, err } = await orc(args, { kubeconfig: world.kubeconfig });
  const short = (text: string) => text.replaceAll(path, 'garden.yaml');
  return { code, out: short(out), err: short(err) };
}

const done = (out: string) => ({ code: 0, out, err: '' });

const write = (...documents: readonly string[]) => writeFile(path, documents.join('---\n'));

const house = (name: string, crop: string) => `apiVersion: garden.example/v1alpha1
kind: Greenhouse
metadata: {name: ${name}}
spec:
  plots:
    - {row: 1, crop: ${crop}}
`;

const title = 'greenhouse.garden.example/a';
const crdTitle = 'customresourcedefinition.apiextensions.k8s.io/greenhouses.garden.example';

describe('a file with a definition and objects of it', () => {
  it('is refused as a whole where an object isn’t as the definition says', async () => {
    await write(house('a', '[bean]'), definition);
    expect(await run('apply', '-f', path)).toEqual({
      ...{ code: 1, out: '' },
      err:
        'garden.yaml:6:16  Greenhouse default/a  ' +
        'spec.plots[0].crop: ["bean"] must be a string, not a list\nnothing was applied\n',
    });
    expect(world.cache.list(CustomResourceDefinition)).toEqual([]);
  });

  it('is planned, compared and applied in one go, the definition first', async () => {
    await write(house('a', 'bean'), definition);
    expect(await run('plan', '-f', path)).toEqual(
      done(`${crdTitle} created\n${title} created\n\nan apply: 2 created\n`),
    );
    expect((await run('diff', '-f', path)).out).toMatch(
      /^\+\+\+ applied\/garden.example.v1alpha1.Greenhouse.default.a$[\s\S]*^\+ {4}- row: 1$/m,
    );
    expect(await run('apply', '-f', path, '--dry-run')).toEqual(
      done(`${crdTitle} created (dry run)\n${title} created (dry run)\n`),
    );
    expect(await run('apply', '-f', path)).toEqual(done(`${crdTitle} created\n${title} created\n`));
    expect(await run('apply', '-f', path)).toEqual(
      done(`${crdTitle} unchanged\n${title} unchanged\n`),
    );
  });

  it('may use what the definition doesn’t say yet in the cluster', async () => {
    const crop = '                      crop:\n';
    const colour = '                      colour: {type: string}\n';
    await write(definition.replace(crop, colour + crop), house('a', 'bean, colour: red'));
    expect(await run('plan', '-f', path)).toEqual(
      done(`${crdTitle} changed
  garden.yaml:16:3  spec.versions: changed
${title} changed
  garden.yaml:393:36  spec.plots[1/left].colour: none → "red"

an apply: 2 changed
`),
    );
    expect(await run('apply', '-f', path)).toEqual(
      done(`${crdTitle} configured\n${title} configured\n`),
    );
  });

  it('says why a definition isn’t established', async () => {
    await write(
      definition.replaceAll('greenhouse', 'glasshouse').replaceAll('Greenhouse', 'Glasshouse'),
    );
    expect(await run('apply', '-f', path)).toMatchObject({
      code: 1,
      err: 'orc: customresourcedefinition.apiextensions.k8s.io/glasshouses.garden.example is not established: "gh" is already in use\n',
    });
    await run('delete', 'crd/glasshouses.garden.example');
  }, 20_000);
});

describe('verbs know a kind that was defined', () => {
  it('get and describe show it by any of its names, also among all', async () => {
    const table =
      /^NAME +BEDS +READY +CROP +WATERED +AGE\n(greenhouse.garden.example\/)?a +1 +bean +\d+s\n$/;
    for (const words of ['gh', 'greenhouse/a', 'garden', 'all', 'greenhouses.garden.example'])
      expect(await run('get', words)).toMatchObject({ code: 0, out: expect.stringMatching(table) });
    expect(await run('get', 'all', '-A', '-o', 'name')).toEqual(done(`${title}\n`));
    expect((await run('get', 'gh/a', '-o', 'jsonpath={.spec.plots[*].crop}')).out).toBe('bean');
    expect((await run('describe', 'gh')).out).toMatch(
      /^greenhouse.garden.example\/a {3}in default/,
    );
    expect((await run('api-resources', '--api-group', 'garden.example')).out).toMatch(
      /^greenhouses +gh +garden.example\/v1alpha1 +true +Greenhouse$/m,
    );
    expect((await run('explain', 'gh.spec.beds')).out).toContain('How many beds there shall be.');
    expect((await run('__complete', '--', 'get', 'gh', '')).out).toBe('a\n');
    expect((await run('get', 'grenhouses')).err).toContain('did you mean "greenhouses"?');
  });

  it('label, patch, scale, wait and edit change it', async () => {
    expect(await run('label', 'gh/a', 'x=y')).toEqual(done(`${title} labeled\n`));
    expect(await run('patch', 'gh', 'a', '-p', 'spec: {name: Kew}')).toEqual(
      done(`${title} patched\n`),
    );
    expect(await run('scale', 'gh', 'a', '--replicas', '3')).toEqual(
      done(`${title} scaled to 3\n`),
    );
    expect(await run('wait', 'gh', '-l', 'x=y', '--for', 'jsonpath={.spec.beds}=3')).toEqual(
      done(`${title} condition met\n`),
    );
    const env = { EDITOR: 'sed -i s/Kew/Kiew/' };
    const edited = await orc(['edit', 'gh/a'], { kubeconfig: world.kubeconfig, env });
    expect(edited).toEqual(done(`${title} edited\n`));
    await write(house('a', 'chard'));
    expect((await run('plan', '-f', path)).out).toContain('spec.plots: ');
  });

  it('auth asks about it in its group', async () => {
    expect(await run('auth', 'can-i', 'get', 'gh')).toEqual(done('yes\n'));
  });

  it('prune finds what an apply set holds of it', async () => {
    await write(house('b', 'bean'));
    const set = ['--prune', '--applyset', 'garden', '--yes'];
    expect((await run('apply', '-f', path, ...set)).code).toBe(0);
    await write(house('c', 'bean'));
    expect((await run('apply', '-f', path, ...set)).out).toBe(
      'greenhouse.garden.example/c created\ngreenhouse.garden.example/b pruned\n',
    );
  });

  it('delete takes the objects before the definition, and waits for all of it', async () => {
    await write(definition, house('a', 'bean'));
    expect(await run('delete', '-f', path)).toEqual(
      done(`${title} deleted\n${crdTitle} deleted\n`),
    );
    expect(await run('delete', '-f', path, '--ignore-not-found')).toEqual(done(''));
    expect((await run('get', 'gh')).err).toMatch(/^orc: there is no kind "gh"/);
  });
});
