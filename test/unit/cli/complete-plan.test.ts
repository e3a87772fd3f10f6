import { describe, expect, it } from 'vitest';
import { type Completion, planCompletion, readWords } from '../../../cli/complete-plan.ts';
import { programCommand, verbCommand } from '../../../cli/verb-command.ts';
import { isVerb } from '../../../cli/verbs.ts';
import { programs } from '../../../programs.ts';

/** Words without what is said about them. */
type Expected = Omit<Completion, 'words'> & { readonly words?: readonly string[] };

/** Of a line up to the cursor; of words only the words. */
async function planned(line: string): Promise<Expected> {
  const [name = '', ...words] = line.split(' ');
  const current = words.pop() ?? '';
  const program = programs[name];
  if (!isVerb(name) && program === undefined) throw new Error(`no such verb: ${name}`);
  const command = await (isVerb(name)
    ? verbCommand(name)
    : programCommand(name, program ?? { about: '', flags: async () => ({}) }));
  const { words: found, ...rest } = planCompletion(command, readWords(command, words), current);
  return found ? { ...rest, words: found.map(({ word }) => word) } : rest;
}

const formats = [
  ...['name', 'yaml', 'json', 'jsonpath=', 'jsonpath-file='],
  ...['custom-columns=', 'custom-columns-file='],
];

describe('the word at the cursor', () => {
  const cases: readonly [line: string, expected: Expected][] = [
    ['get pods ', { kind: 'pods' }],
    ['get pods web-1 ', { kind: 'pods' }],
    ['get deploy/w', { kind: 'deploy', prefix: 'deploy/' }],
    ['get deploy/web ', {}],
    ['get -n ', { kind: 'namespaces' }],
    ['get --namespace=', { kind: 'namespaces', prefix: '--namespace=' }],
    ['get -o ', { words: ['wide', ...formats] }],
    ['patch deploy/web -o ', { words: formats }],
    ['patch deploy/web --type ', { words: ['strategic', 'merge', 'json'] }],
    ['wait pods --for ', { words: ['condition=', 'jsonpath=', 'create', 'delete'] }],
    ['auth ', { words: ['can-i', 'whoami'] }],
    ['auth can-i get deployments ', { kind: 'deployments' }],
    ['label deploy/', { kind: 'deploy', prefix: 'deploy/' }],
    ['get -l ', { words: [] }],
    ['get --selector=app pods ', { kind: 'pods' }],
    ['rollout ', { words: ['status', 'restart', 'undo', 'history', 'pause', 'resume'] }],
    ['rollout undo deploy/', { kind: 'deploy', prefix: 'deploy/' }],
    ['rollout undo deployment ', { kind: 'deployment' }],
    ['logs ', { kind: 'pods' }],
    ['logs deploy/', { kind: 'deploy', prefix: 'deploy/' }],
    ['logs web-1 ', {}],
    ['logs web-1 -c ', { containersOf: 'web-1' }],
    ['exec -it web-1 -- s', {}],
    ['cp ', { kind: 'pods', suffix: ':' }],
    ['cp ./a', {}],
    ['cp web-1:/etc db', { kind: 'pods', suffix: ':' }],
    ['events --for deploy/', { kind: 'deploy', prefix: 'deploy/' }],
    ['top ', { words: ['pods', 'nodes'] }],
    ['top pods ', { kind: 'pods' }],
    ['token ', { words: ['create'] }],
    ['drain host1 ', { kind: 'nodes' }],
    [
      'version --',
      { words: ['--namespace', '--kubeconfig', '--context', '--as', '--as-group', '--client'] },
    ],
    ['agent --log-level ', { words: ['error', 'warn', 'info', 'debug'] }],
    ['store ', { words: ['migrate'] }],
  ];
  it.each(cases)('of "orc %s" is planned', async (line, expected) => {
    expect(await planned(line)).toEqual(expected);
  });

  it('is a kind where an object is wanted', async () => {
    expect((await planned('describe ')).words).toContain('deployments');
  });
});
