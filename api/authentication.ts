import * as field from './field-error.ts';
import { type KubeObject, kind } from './kind.ts';
import * as s from './schema.ts';

/** authentication.k8s.io: questions about who somebody is, and the request for a token. They are answered, never stored. */

const userInfo = s.obj({
  ...s.all(s.str(), 'username', 'uid'),
  groups: s.list(s.str()),
  extra: s.map(s.list(s.str())).doc('What else the credential says.'),
});

const audiences = s.list(s.str()).doc('Who shall accept the token. Default: this API.').default([]);

const reviewFields = {
  spec: s.obj({ token: s.str().required(), audiences }).required(),
  status: s
    .obj({ authenticated: s.bool(), user: userInfo, audiences, error: s.str() })
    .default({ audiences: [] }),
};

const requestFields = {
  spec: s
    .obj({
      audiences,
      expirationSeconds: s.long().doc('How long it is good.').default(3600),
      boundObjectRef: s
        .obj({
          kind: s.str({ values: ['Pod'], lacks: ['Secret', 'Node'] }).required(),
          apiVersion: s.str({ values: ['v1'] }).default('v1'),
          name: s.str().required(),
          uid: s.str(),
        })
        .doc('It is good only as long as this pod is there.'),
    })
    .default({ audiences: [], expirationSeconds: 3600 }),
  status: s.obj({ token: s.str(), expirationTimestamp: s.time() }).default({}),
};

const shared = { group: 'authentication.k8s.io', verbs: ['create'], columns: [] } as const;

export const TokenReview = kind({
  ...shared,
  kind: 'TokenReview',
  namespaced: false,
  about: 'Asks whose a token is.',
  fields: reviewFields,
});

export const SelfSubjectReview = kind({
  ...shared,
  kind: 'SelfSubjectReview',
  namespaced: false,
  about: 'Asks who one is: `kubectl auth whoami`.',
  fields: { status: s.obj({ userInfo }).default({}) },
});

export type TokenRequest = KubeObject<typeof requestFields>;

/** What is sent to the subresource serviceaccounts/token. */
export const TokenRequest = kind({
  ...shared,
  kind: 'TokenRequest',
  about: 'Asks for a token of a ServiceAccount.',
  fields: requestFields,
  validate: ({ spec: { expirationSeconds } }, at) => {
    const path = at('spec')('expirationSeconds');
    const say = (why: string) => field.invalid(path, expirationSeconds, `may not specify a ${why}`);
    return field.errorsOf(
      expirationSeconds < 600 && say('duration less than 10 minutes'),
      expirationSeconds > 2 ** 32 && say('duration larger than 2^32 seconds'),
    );
  },
});
