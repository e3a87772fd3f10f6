import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Deployment } from '../../../api/deployment.ts';
import type { Kind } from '../../../api/kind.ts';
import { Pod } from '../../../api/pod.ts';
import { parseObject } from '../../../api/prepare.ts';
import type { Fields } from '../../../api/schema.ts';
import { parseTemplate } from '../../../cli/json-path.ts';
import { findKubectls, runKubectl } from '../../support/kubectl.ts';
import { orc } from '../../support/orc-cli.ts';
import { openTlsWorld, type TlsWorld } from '../../support/tls-world.ts';

const kubectl = findKubectls().at(-1);
let world: TlsWorld;

beforeAll(async () => {
  world = await openTlsWorld();
  const ports = [{ containerPort: 80 }, { containerPort: 81, name: 'more' }];
  for (const [name, tier] of [
    ['web-1', 'front'],
    ['web-2', 'back'],
  ])
    await add(Pod, {
      metadata: { name, labels: { app: 'web', 'x.io/tier': tier } },
      spec: {
        containers: [
          { name: 'web', image: 'web:1', ports, args: ['-v', name] },
          { name: 'side', image: 'side:2', stdin: name === 'web-1' },
        ],
        terminationGracePeriodSeconds: name === 'web-1' ? 5 : 30,
      },
    });
  await add(Deployment, {
    metadata: { name: 'web' },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'web', image: 'web:1' }] },
      },
    },
  });
});

afterAll(() => world.close());

async function add<F extends Fields>(kind: Kind<F>, manifest: object): Promise<void> {
  const parsed = parseObject(kind, manifest, { namespace: 'default' });
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  await world.objects.create(kind, parsed.object);
}

const run = (...args: readonly string[]) => orc(args, { kubeconfig: world.kubeconfig });

async function asked(...args: readonly string[]) {
  if (!kubectl) throw new Error('there is no kubectl');
  const options = { kubeconfig: world.kubeconfig, cacheDir: join(world.dir, 'cache') };
  return runKubectl(kubectl, args, options);
}

const expressions = [
  '{.kind} {.apiVersion}',
  '{.items[*].metadata.name}',
  '{$.items[0].metadata.name}',
  '{@.items[0].metadata.name}',
  '{.items[0].metadata.labels.x\\.io/tier}',
  "{.items[0].metadata.labels['x\\.io/tier']}",
  "{.items[0].metadata.labels['x.io/tier']}",
  "{.items[*]['metadata.name', 'status.phase']}",
  "{.items[*].metadata['name']}",
  '{.items[0].metadata.labels}',
  '{.items[0].spec.containers[0].ports}',
  '{.items[0].spec.containers[*].ports[*]}',
  '{range .items[*]}{.metadata.name}{"\\t"}{.status.phase}{"\\n"}{end}',
  '{range .items[*]}{.metadata.name}:{range .spec.containers[*]} {.name}={.image}{end};{end}',
  '{range .items[*].spec.containers[*]}{@.name} {end}',
  '{range .items[*]}{.kind}{end}',
  '{range .nothing[*]}{.x}{end}done',
  '{.items[?(@.metadata.name=="web-2")].spec.terminationGracePeriodSeconds}',
  "{.items[?(@.metadata.labels.x\\.io/tier=='front')].metadata.name}",
  '{.items[?(@.spec.terminationGracePeriodSeconds>5)].metadata.name}',
  '{.items[?(@.spec.terminationGracePeriodSeconds>=5)].metadata.name}',
  '{.items[?(@.spec.terminationGracePeriodSeconds<30)].metadata.name}',
  '{.items[?(@.status.phase!="Running")].metadata.name}',
  '{.items[*].spec.containers[?(@.stdin==true)].name}',
  '{.items[0].spec.containers[?(@.ports)].name}',
  '{.items[0].spec.containers[?(@.ports[1].containerPort==81)].image}',
  '{.items[0].spec.containers[-1].name}',
  '{.items[0].spec.containers[0,1].name}',
  '{.items[0].spec.containers[0:1].name}',
  '{.items[0].spec.containers[1:].name}',
  '{.items[-1:].metadata.name}',
  '{..containerPort}',
  '{.items[0]..image}',
  '{.items[*].nothing}{.nothing.deep}',
  '{.items[0].spec.enableServiceLinks} {"quoted \\"text\\""}',
  'text without a path',
  '.items[0].metadata.name',
  '{range .items[*]}{.metadata.name}',
];

const refused = [
  '{.items[*].metadata.name',
  '{end}',
  '{rang .items[*]}',
  '{.items[9]}',
  '{.kind[0]}',
  '{.items[?(@.a=="b" || @.c=="d")]}',
  '{.items[?(@.metadata.name==5)]}',
  '{.items[?(@.spec.containers[*].name=="web")]}',
];

it.skipIf(kubectl !== undefined)('needs a kubectl.1.x in PATH or in KUBECTL_DIR', () => {
  expect(findKubectls()).toEqual([]);
});

/** Whatever the order in which Go walks over a map. */
const words = (text: string) => text.split(' ').sort();

describe.skipIf(kubectl === undefined)('orc, beside kubectl', () => {
  it('finds by each JSONPath what kubectl finds, and refuses what it refuses', async () => {
    const list: unknown = JSON.parse((await run('get', 'pods', '-o', 'json')).out);
    const compare = async (expression: string) => {
      const { code, out } = await asked('get', 'pods', '-o', `jsonpath=${expression}`);
      return { expression, code, out: words(out), ours: words(oursFor(expression, list)) };
    };
    const all = Readable.from([...expressions, ...refused]).map(compare, { concurrency: 3 });
    for await (const { expression, code, out, ours } of all) {
      const isRefused = refused.includes(expression);
      expect({ expression, code: Math.min(code, 1) }).toEqual({
        expression,
        code: isRefused ? 1 : 0,
      });
      expect({ expression, out: ours }).toEqual({ expression, out: isRefused ? ['refused'] : out });
    }
  }, 60_000);

  it('prints the same columns, names, resources and conditions', async () => {
    const file = join(world.dir, 'columns');
    await writeFile(file, 'NAME            IMAGES\nmetadata.name   .spec.containers[*].image\n');
    const commands = [
      'get pods -o custom-columns=NAME:.metadata.name,IMAGES:.spec.containers[*].image,NO:.nothing',
      "get pod web-1 -o custom-columns=N:{.metadata.name},P:.spec.containers[?(@.name=='web')].ports[0].containerPort",
      'get pods --no-headers -o custom-columns=NAME:metadata.name',
      `get pods -o custom-columns-file=${file}`,
      'get pods,deploy -o name',
      'get deploy/web -o jsonpath={.spec.replicas}',
      'api-resources',
      'api-resources -o name',
      'api-resources --api-group=apps -o wide',
      'wait pod/web-1 pod/web-2 --for=jsonpath={.status.phase}=Pending --timeout=5s',
      'wait pod/web-1 --for=create --timeout=5s',
      'patch deploy/web -p {"spec":{"replicas":1}}',
      'label pod/web-1 tier=front',
    ];
    for (const command of commands) {
      const args = command.split(' ');
      const { code, out } = await run(...args);
      const theirs = await asked(...args);
      const same = { code: theirs.code, out: theirs.out.replaceAll(/ +$/gm, '') };
      // kubectl comes second and finds nothing to do.
      const ours = out.replace('labeled', command.startsWith('label') ? 'not labeled' : 'labeled');
      expect({ command, code, out: ours }).toEqual({ command, ...same });
    }
  }, 60_000);

  it('explains the same fields', async () => {
    const names = (text: string) =>
      [...text.matchAll(/^ *(\w+)\s+<([^>]+)>/gm)].map(([, name, type]) => `${name} ${type}`);
    for (const what of ['pod', 'pod.spec.containers.env', 'deploy.spec.strategy', 'cm']) {
      const theirs = names((await asked('explain', what)).out.split('FIELDS:')[1] ?? '');
      const ours = names((await run('explain', what)).out.split('FIELDS\n')[1] ?? '');
      expect({ what, fields: ours }).toEqual({ what, fields: theirs });
    }
  }, 60_000);
});

function oursFor(expression: string, list: unknown): string {
  try {
    return parseTemplate(expression)(list);
  } catch {
    return 'refused';
  }
}
