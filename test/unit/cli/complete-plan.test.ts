import { describe, expect, it } from 'vitest';
import { Deployment } from '../../../api/deployment.ts';
import { Namespace } from '../../../api/namespace.ts';
import { Node } from '../../../api/node.ts';
import { Pod } from '../../../api/pod.ts';
import { UsageError } from '../../../base/flags.ts';
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
    ['get pods ', { kind: Pod }],
    ['get pods web-1 ', { kind: Pod }],
    ['get deploy/w', { kind: Deployment, prefix: 'deploy/' }],
    ['get deploy/web ', {}],
    ['get -n ', { kind: Namespace }],
    ['get --namespace=', { kind: Namespace, prefix: '--namespace=' }],
    ['get -o ', { words: ['wide', ...formats] }],
    ['patch deploy/web -o ', { words: formats }],
    ['patch deploy/web --type ', { words: ['strategic', 'merge', 'json'] }],
    ['wait pods --for ', { words: ['condition=', 'jsonpath=', 'create', 'delete'] }],
    ['auth ', { words: ['can-i', 'whoami'] }],
    ['auth can-i get deployments ', { kind: Deployment }],
    ['label deploy/', { kind: Deployment, prefix: 'deploy/' }],
    ['get -l ', { words: [] }],
    ['get --selector=app pods ', { kind: Pod }],
    ['rollout ', { words: ['status', 'restart', 'undo', 'history', 'pause', 'resume'] }],
    ['rollout undo deploy/', { kind: Deployment, prefix: 'deploy/' }],
    ['rollout undo deployment ', { kind: Deployment }],
    ['logs ', { kind: Pod }],
    ['logs deploy/', { kind: Deployment, prefix: 'deploy/' }],
    ['logs web-1 ', {}],
    ['logs web-1 -c ', { containersOf: 'web-1' }],
    ['exec -it web-1 -- s', {}],
    ['cp ', { kind: Pod, suffix: ':' }],
    ['cp ./a', {}],
    ['cp web-1:/etc db', { kind: Pod, suffix: ':' }],
    ['events --for deploy/', { kind: Deployment, prefix: 'deploy/' }],
    ['top ', { words: ['pods', 'nodes'] }],
    ['top pods ', { kind: Pod }],
    ['token ', { words: ['create'] }],
    ['drain host1 ', { kind: Node }],
    ['version --', { words: ['--namespace', '--kubeconfig', '--context', '--client'] }],
    ['agent --log-level ', { words: ['error', 'warn', 'info', 'debug'] }],
    ['store ', { words: ['migrate'] }],
  ];
  it.each(cases)('of "orc %s" is planned', async (line, expected) => {
    expect(await planned(line)).toEqual(expected);
  });

  it('is a kind where an object is wanted', async () => {
    expect((await planned('describe ')).words).toContain('deployments');
  });

  it('makes no sense behind a kind that there isn’t', async () => {
    await expect(planned('get nonsense ')).rejects.toThrow(UsageError);
  });
});
