import {
  type Access,
  LocalSubjectAccessReview,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
} from '../../api/access-reviews.ts';
import { SelfSubjectReview, TokenReview } from '../../api/authentication.ts';
import type { Kind, KubeObject } from '../../api/kind.ts';
import { parseRequest } from '../../api/prepare.ts';
import type { Fields } from '../../api/schema.ts';
import { type User, userInfoOf } from '../../api/user-info.ts';
import { type ApiServer, accepted, bodyOf, type Call } from './call.ts';
import { decide, rulesOf } from './rbac.ts';
import { badRequest, writeOptions } from './request-options.ts';
import type { Handles } from './resource-routes.ts';

/** Questions in the shape of objects: answered (201), never stored. */
export const reviewHandles: ReadonlyMap<Kind, Handles> = new Map([
  review(TokenReview, ({ spec }, _, { tokens }) => {
    const verdict = tokens.check(spec.token, spec.audiences);
    if ('error' in verdict) return { authenticated: false, ...verdict };
    return { authenticated: true, user: userInfoOf(verdict.user), audiences: verdict.audiences };
  }),
  review(SelfSubjectReview, (_, { user }) => ({ userInfo: userInfoOf(user) })),
  review(SelfSubjectAccessReview, ({ spec }, { user }, { cache }) => access(spec, user, cache)),
  ...[SubjectAccessReview, LocalSubjectAccessReview].map((kind) =>
    review(kind, ({ spec }, _, { cache }) => {
      const { user: name = '', groups = [] } = spec;
      return access(spec, { name, groups }, cache);
    }),
  ),
  review(SelfSubjectRulesReview, ({ spec: { namespace } }, { user }, { cache }) => {
    if (!namespace) throw badRequest('no namespace on request');
    const rules = rulesOf(user, namespace, cache);
    const sorted = Object.groupBy(rules, ({ nonResourceURLs }) =>
      nonResourceURLs?.length ? 'nonResourceRules' : 'resourceRules',
    );
    return { resourceRules: [], nonResourceRules: [], ...sorted, incomplete: false };
  }),
]);

/** Gives the status. */
type Judge<F extends Fields> = (review: KubeObject<F>, call: Call, server: ApiServer) => object;

function review<F extends Fields>(kind: Kind<F>, judge: Judge<F>): [Kind, Handles] {
  const create: Handles['create'] = async (call, server) => {
    const { namespace } = call;
    const { fieldValidation } = writeOptions(call);
    const parsed = parseRequest(kind, bodyOf(call), { namespace, fieldValidation });
    const object = accepted(call, '', parsed);
    const status = judge(object, call, server);
    return { code: 201, body: JSON.stringify({ ...object, status }) };
  };
  return [kind, { create }];
}

function access(
  { resourceAttributes, nonResourceAttributes }: Access,
  user: User,
  cache: ApiServer['cache'],
) {
  if (nonResourceAttributes) {
    const { verb = '', path = '' } = nonResourceAttributes;
    return decide(user, { verb, path, namespace: '' }, cache);
  }
  const asked = resourceAttributes ?? {};
  const { verb = '', group = '', resource: plural = '', subresource, name = '' } = asked;
  const resource = subresource ? `${plural}/${subresource}` : plural;
  const { namespace = '' } = asked;
  return decide(user, { verb, group, resource, name, namespace }, cache);
}
