import { join } from 'node:path';
import { expect, it } from 'vitest';
import { count } from '../../../../api/columns.ts';
import { type Kind, kind } from '../../../../api/kind.ts';
import { kinds } from '../../../../api/kinds.ts';
import * as s from '../../../../api/schema.ts';
import { outermostKubectls, runKubectl, startKubectl } from '../../../support/kubectl.ts';
import { openTlsWorld } from '../../../support/tls-world.ts';
import { waitFor } from '../../../support/wait-for.ts';

const petal = s.obj({ name: s.str().required(), cm: s.int({ min: 1 }) });
const height = s.int().doc('In cm.').default(10);
const fields = { spec: s.obj({ height, petals: s.listMap(petal, 'name') }).required() };
const Flower: Kind<typeof fields> = kind({
  ...{ group: 'garden.example', kind: 'Flower', shortNames: ['fl'], about: 'Grows.', fields },
  columns: [count('Height', 'In cm.', ({ spec }) => spec.height)],
});

/** Whatever there is to a kind, its declaration gives it: the one above is all that there is of this one. */
it.each(outermostKubectls())(
  'a kind is its declaration: kubectl $version finds, explains, shows, patches and watches it',
  async (kubectl) => {
    const world = await openTlsWorld({ kinds: [...kinds, Flower] });
    const options = { kubeconfig: world.kubeconfig, cacheDir: join(world.dir, kubectl.version) };
    const run = async (args: string, input = '') => {
      const { out, err } = await runKubectl(kubectl, args.split(' '), { ...options, input });
      return out + err;
    };
    const yaml = (petals: string) =>
      `apiVersion: garden.example/v1
kind: Flower
metadata: {name: rose}
spec: {petals: [${petals}]}`;
    const watch = startKubectl(kubectl, ['get', 'fl', '-w', '--no-headers'], options);

    expect(await run('api-resources --api-group=garden.example')).toMatch(
      /flowers +fl +garden.ex.* Flower/,
    );
    expect(await run('explain flower.spec.height')).toMatch(/height <integer>[\s\S]*In cm\./);
    expect(await run('apply -f -', yaml('{name: a, cm: 0}'))).toContain('petals[0].cm: Invalid');
    expect(await run('apply -f -', yaml('{name: a}'))).toContain('rose created');
    expect(await run('apply -f -', yaml('{name: a, cm: 2}'))).toContain('rose configured');
    const patch = (type: string, text: string) => run(`patch fl rose --type ${type} -p ${text}`);
    await patch('strategic', '{"spec":{"petals":[{"name":"b","cm":3}]}}');
    await patch('merge', '{"spec":{"height":20}}');
    await patch('json', '[{"op":"replace","path":"/spec/height","value":30}]');
    await run('apply --server-side --field-manager me -f -', yaml('{name: c}'));
    expect(await run('get fl')).toMatch(/NAME +HEIGHT +AGE\nrose +30 /);
    // What kubectl has applied on the client before is "me"'s now, who doesn't apply it any more.
    expect(await run('get fl rose -o jsonpath={.spec.petals[*].name}')).toBe('b c');
    await run('delete fl rose');
    await waitFor('the last change', () => watch.out().trim().split('\n').length >= 6);
    watch.stop();
    await world.close();
  },
);
