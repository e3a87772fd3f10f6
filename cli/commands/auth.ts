import { SelfSubjectAccessReview, SelfSubjectRulesReview } from '../../api/access-reviews.ts';
import { SelfSubjectReview } from '../../api/authentication.ts';
import { apiVersionOf, type Kind, type KubeObject } from '../../api/kind.ts';
import type { Fields } from '../../api/schema.ts';
import { on, oneOf, text, UsageError, type ValuesOf } from '../../base/flags.ts';
import type { Cli } from '../cli.ts';
import { defineVerb } from '../define-verb.ts';
import { isNamed, kindWhere } from '../kind-lookup.ts';
import { formatWhole } from '../print/output.ts';
import { printTable } from '../print/table.ts';
import { collectionPath } from '../resources.ts';

const authFlags = {
  list: on('can-i: all that is allowed in the namespace'),
  'all-namespaces': on('can-i: in every namespace').short('A'),
  subresource: text('name', 'can-i: such as log, scale or status'),
  quiet: on('can-i: say it by the exit code alone').short('q'),
  output: oneOf('format', ['yaml', 'json']).short('o'),
};

export const defineAuth = defineVerb({
  words: {
    '<verb>': 'can-i or whoami',
    '[action]': 'get, list, watch, create, update, patch or delete; or any other',
    '[what...]': 'pods · deploy web · deploy/web · /metrics',
  },
  flags: authFlags,
  notes: '\nExit code of can-i: 0 yes, 1 no.',
  async run(cli, [verb = '', action, ...what], flags) {
    if (verb !== 'whoami' && verb !== 'can-i')
      throw new UsageError(`orc auth knows can-i and whoami, not "${verb}"`);
    if (action !== undefined && (verb === 'whoami' || flags.list))
      throw new UsageError(
        `orc auth ${verb}${flags.list ? ' --list' : ''} has no use for "${action}"`,
      );
    if (verb === 'whoami') return whoAmI(cli, flags);
    if (flags.list) return listRules(cli, flags);
    if (action === undefined || what.length === 0)
      throw new UsageError('say what: orc auth can-i create pods, or --list');
    return canI(cli, [action, ...what], flags);
  },
});

type AuthFlags = ValuesOf<typeof authFlags>;

type Question = Readonly<{ spec?: unknown; output: AuthFlags['output'] }>;

/** An object that comes back answered; printed at once where -o wants that. */
async function review<F extends Fields>(cli: Cli, kind: Kind<F>, { spec, output }: Question) {
  const path = collectionPath({ kind, namespace: '' });
  const asked = { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata: {}, spec };
  const { body } = await cli.api.send<KubeObject<F>>({ method: 'POST', path, body: asked });
  if (output) cli.io.stdout.write(await formatWhole(body, output));
  return body;
}

async function canI(cli: Cli, [verb, ...what]: readonly string[], flags: AuthFlags) {
  const spec = what[0]?.startsWith('/')
    ? { nonResourceAttributes: { verb, path: what[0] } }
    : { resourceAttributes: { verb, ...(await resourceOf(cli, what, flags)) } };
  const { output, quiet } = flags;
  const { status } = await review(cli, SelfSubjectAccessReview, { spec, output });
  const { allowed, reason } = status;
  if (!output && !quiet) cli.out(allowed ? 'yes' : ['no', reason].filter(Boolean).join(' - '));
  return allowed ? 0 : 1;
}

/** "deploy web", "deploy/web", "widgets.example.com". */
async function resourceOf(cli: Cli, what: readonly string[], flags: AuthFlags) {
  const { subresource, allNamespaces } = flags;
  const [word = '', name] = what.flatMap((one) => one.split('/'));
  const [plural = '', ...group] = word.split('.');
  const known = await kindWhere(cli.api, isNamed(word));
  if (known === undefined && word !== '*') cli.err(`orc: there is no kind "${word}"`);
  const kind = known ?? { plural, group: group.join('.'), namespaced: true };
  const namespace = kind.namespaced && !allNamespaces ? await cli.namespace() : '';
  return { group: kind.group, resource: kind.plural, subresource, namespace, name };
}

async function listRules(cli: Cli, { output }: AuthFlags): Promise<void> {
  const spec = { namespace: await cli.namespace() };
  const { status } = await review(cli, SelfSubjectRulesReview, { spec, output });
  if (output) return;
  const { resourceRules = [], nonResourceRules = [], incomplete, evaluationError } = status;
  const rows = [...resourceRules, ...nonResourceRules].flatMap((rule) => {
    const { verbs, apiGroups = [], resources = [], resourceNames = [] } = rule;
    const inGroup = (one: string) => apiGroups.map((group) => (group ? `${one}.${group}` : one));
    const what = [...resources.flatMap(inGroup), ...(rule.nonResourceURLs ?? [])];
    return what.map((one) => [one, resourceNames.join(','), verbs.join(',')]);
  });
  printTable(cli, { headers: ['WHAT', 'NAMED', 'VERBS'], rows });
  if (incomplete) cli.err(`orc: there may be more: ${evaluationError ?? 'not all is known'}`);
}

async function whoAmI(cli: Cli, { output }: AuthFlags): Promise<void> {
  const { status } = await review(cli, SelfSubjectReview, { output });
  if (output) return;
  const { username = '', uid = '', groups = [], extra = {} } = status.userInfo ?? {};
  const rows = [
    ['Username', username],
    ['UID', uid],
    ['Groups', groups.join(', ')],
    ...Object.entries(extra).map(([key, values]) => [`Extra: ${key}`, values.join(', ')]),
  ].filter(([, value]) => value !== '');
  printTable(cli, { headers: ['ATTRIBUTE', 'VALUE'], rows });
}
