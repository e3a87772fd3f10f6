import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { controllerLoops } from '../../../../controller/controllers/controller-loops.ts';
import {
  type KubectlOptions,
  outermostKubectls,
  runKubectl,
  startKubectl,
} from '../../../support/kubectl.ts';
import { openTlsWorld, type TlsWorld } from '../../../support/tls-world.ts';
import { waitFor } from '../../../support/wait-for.ts';

const kubectls = outermostKubectls();
const path = join(import.meta.dirname, '../../../support/greenhouse-definition.yaml');

let world: TlsWorld;
let definition: string;

beforeAll(async () => {
  definition = await readFile(path, 'utf8');
  const { loops } = controllerLoops();
  const names = ['definition-controller', 'namespace-controller', 'garbage-collector'];
  world = await openTlsWorld({ loops: loops.filter(({ name }) => names.includes(name)) });
});

afterAll(() => world.close());

const greenhouse = (name: string, spec = 'plots: [{row: 1, crop: tomato}]', more = '') => `
apiVersion: garden.example/v1alpha1
kind: Greenhouse
metadata: {name: ${name}, labels: {garden.example/owner: me}}
${more}
spec:
  ${spec.split('\n').join('\n  ')}
`;

describe.each(kubectls)('kubectl $version and a definition', (kubectl) => {
  let options: KubectlOptions;

  beforeAll(async () => {
    options = { kubeconfig: world.kubeconfig, cacheDir: join(world.dir, kubectl.version) };
    expect(await run('apply -f -', definition)).toContain('created');
    expect(await run('wait --for condition=Established crd/greenhouses.garden.example')).toContain(
      'condition met',
    );
  });

  const run = async (args: string, input = ''): Promise<string> => {
    const { out, err } = await runKubectl(kubectl, args.split(' '), { ...options, input });
    return out + err;
  };
  const read = (what: string, jsonPath: string) => run(`get ${what} -o jsonpath={${jsonPath}}`);

  it('is found by its names, and explained in its own words', async () => {
    expect(await run('api-resources --api-group=garden.example -o wide')).toMatch(
      /greenhouses +gh +garden.example\/v1alpha1 +true +Greenhouse .*all,garden/,
    );
    expect(await run('explain gh')).toContain('A house of glass');
    expect(await run('explain gh.spec.plots.water.source')).toMatch(
      /source <string>[\s\S]*Where the water comes from/,
    );
    expect(await run('explain gh.metadata.labels')).toContain('labels');
    expect(await run('get crd')).toMatch(/NAME +CREATED AT\ngreenhouses.garden.example +20/);
  });

  it('has its objects applied, shown, described, edited, labelled and deleted', async () => {
    expect(await run('apply -f -', greenhouse('a'))).toContain(
      'greenhouse.garden.example/a created',
    );
    const whole = 'plots: [{row: 1, crop: tomato, side: left, cm: 10}]';
    await run('apply -f -', greenhouse('a', whole));
    expect(await run('apply -f -', greenhouse('a', whole))).toContain('unchanged');
    const changed = greenhouse(
      'a',
      'plots: [{row: 1, crop: bean}, {row: 1, side: right, crop: chard}]',
    );
    expect(await run('diff -f -', changed)).toMatch(/\+ .*crop: bean/);
    expect(await run('apply -f -', changed)).toContain('configured');
    expect(await run('get gh')).toMatch(
      /NAME +BEDS +READY +CROP +WATERED +AGE\na +1 +bean +\d+s\n/,
    );
    expect(await run('get gh -o wide')).toMatch(
      /HEATED +WARMTH +OWNER +WATERED +AGE\na.* false +18.5 +me +\d+s/,
    );
    expect(await run('get all -o name')).toBe('greenhouse.garden.example/a\n');
    expect(await run('describe gh a')).toMatch(/Kind: +Greenhouse[\s\S]*Crop: +bean/);
    await run('label gh a x=y');
    expect(await run('get gh -l x=y -o name')).toContain('greenhouse.garden.example/a');
    expect(await run('delete gh a')).toContain('deleted');
    expect(await run('get gh')).toContain('No resources found');
  });

  it('fills in, keeps and refuses as it says', async () => {
    await run(
      'apply -f -',
      greenhouse('b', 'plots: [{row: 1, crop: bean, note: x}]\nnote: null\nbeds: null'),
    );
    expect(await run('apply -f -', greenhouse('b', 'plots: [{row: 1, crops: bean}]'))).toMatch(
      /unknown field.*did you mean "crop"|spec.plots\[0\].crops: unknown field/,
    );
    const loose = greenhouse(
      'b',
      'plots: [{row: 1, crop: bean, pages: 3}]\nnote: null\nbeds: null\nextra: {any: {thing: [1]}}',
    );
    expect(await run('create --validate=false -f -', loose)).toContain('created');
    expect(JSON.parse(await read('gh/b', '.spec'))).toEqual({
      ...{ beds: 1, season: 'Always', note: null, extra: { any: { thing: [1] } } },
      climate: { celsius: 18.5, humidity: 60, heated: false },
      plots: [{ row: 1, side: 'left', crop: 'bean', cm: 10 }],
    });
    const wrong = `beds: 1001
name: x
opened: today
season: Monsoon
door: A B
keepers: [a, a]
climate: {celsius: 50, humidity: 7}
plots: [{row: 1, crop: a}, {row: 1, side: left, crop: b}]
supply: {shop: a, neighbour: b}
template: {kind: Pod, apiVersion: v1, metadata: {name: 3}}`;
    const errors = await run('apply -f -', greenhouse('c', wrong));
    for (const part of [
      'spec.keepers[1]: Duplicate value: "a"',
      'spec.plots[1]: Duplicate value: {"row":1,"side":"left"}',
      'spec.template.metadata.name: Invalid value: 3: must be a string',
    ])
      expect(errors).toContain(part);
    const values = wrong
      .replace('[a, a]', '[a]')
      .replace('row: 1, side: left', 'row: 2')
      .replace('name: 3', 'name: a');
    const found = await run('apply -f -', greenhouse('c', values));
    for (const part of [
      'spec.beds: Invalid value: 1001: spec.beds in body should be less than or equal to 1000',
      'spec.name in body should be at least 3 chars long',
      "spec.name in body should match '^[A-Z][-A-Za-z ]*$'",
      'spec.opened in body must be of type date-time: "today"',
      'spec.season: Unsupported value: "Monsoon": supported values: "Spring", "Summer"',
      "spec.door in body should match '^[a-z0-9-]+$'",
      'spec.climate.celsius in body should be less than 50',
      'spec.climate.humidity in body should be a multiple of 5',
      '"spec.supply" must validate one and only one schema (oneOf)',
    ])
      expect(found).toContain(part);
    await run('delete gh b');
  });

  it('scales, has a status of its own, and counts changes of what is wanted', async () => {
    await run('apply -f -', greenhouse('d', undefined, 'status: {beds: 7}'));
    expect(await read('gh/d', '.status')).toBe('');
    expect(await run('scale gh/d --replicas 4')).toContain('scaled');
    expect(await run('scale gh/d --replicas 5 --current-replicas 4')).toContain('scaled');
    expect(await read('gh/d', '.spec.beds')).toBe('5');
    const status =
      '{"status":{"beds":2,"selector":"a=b","conditions":[{"type":"Ready","status":"True"}]}}';
    await run(`patch gh d --subresource=status --type merge -p ${status}`);
    expect(await run('get gh d --subresource=scale -o jsonpath={.status}')).toBe(
      '{"replicas":2,"selector":"a=b"}',
    );
    expect(await run('get gh d')).toMatch(/d +5 +True +tomato/);
    expect(await read('gh/d', '.metadata.generation')).toBe('3');
    expect(await run('wait --for condition=Ready gh/d')).toContain('condition met');
    await run('delete gh d');
  });

  it('takes the patches that Kubernetes takes for it', async () => {
    await run('apply -f -', greenhouse('e'));
    const patch = (type: string, text: string) => run(`patch gh e --type ${type} -p ${text}`);
    expect(await patch('merge', '{"spec":{"keepers":["x"]}}')).toContain('patched');
    expect(await patch('json', '[{"op":"add","path":"/spec/keepers/-","value":"y"}]')).toContain(
      'patched',
    );
    expect(await patch('strategic', '{"spec":{}}')).toMatch(
      /UnsupportedMediaType|unknown format|not support/i,
    );
    const mine = greenhouse('e', 'keepers: [z]\nplots: [{row: 2, crop: basil}]');
    expect(await run('apply --server-side --field-manager me -f -', mine)).toContain(
      'serverside-applied',
    );
    expect(await read('gh/e', '.spec.keepers')).toBe('["x","y","z"]');
    expect(await read('gh/e', '.spec.plots[*].crop')).toBe('tomato basil');
    expect(
      await run(
        'apply --server-side --field-manager you -f -',
        greenhouse('e', 'plots: [{row: 2, crop: bean}]'),
      ),
    ).toMatch(/conflict with "me"[\s\S]*\.spec\.plots/);
    await run('delete gh e');
  });

  it('changes without a restart; its watches go on, and end with it', async () => {
    const watch = startKubectl(kubectl, ['get', 'gh', '-w', '-o', 'name'], options);
    await run('apply -f -', greenhouse('f'));
    await waitFor('the watch', () => watch.out().includes('/f'));
    const narrower = definition
      .replace('maximum: 1000', 'maximum: 3')
      .replace('name: Beds', 'name: Places');
    expect(await run('apply -f -', narrower)).toContain('configured');
    expect(await run('patch gh f --type merge -p {"spec":{"beds":4}}')).toContain(
      'less than or equal to 3',
    );
    expect(await run('get gh f')).toContain('PLACES');
    await run('patch gh f --type merge -p {"spec":{"beds":3}}');
    await waitFor('the next event', () => watch.out().match(/\/f/g)?.length === 2);
    await run('patch gh f --type merge -p {"metadata":{"finalizers":["garden.example/winter"]}}');
    expect(await run('delete crd greenhouses.garden.example --wait=false')).toContain('deleted');
    await waitFor('it waits for its objects', async () =>
      (await run('get crd greenhouses.garden.example -o yaml')).includes(
        'InstanceDeletionInProgress',
      ),
    );
    expect(await run('create -f -', greenhouse('g'))).toContain('create not allowed while');
    await run('patch gh f --type merge -p {"metadata":{"finalizers":null}}');
    await watch.ended;
    await waitFor('the definition is gone', async () =>
      (await run('get crd')).includes('No resources found'),
    );
    expect(await run('get gh')).toMatch(
      /doesn't have a resource type|could not find the requested resource/,
    );
  });
});
