/** Who asks, as a certificate or a token says it. */
export interface User {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid?: string | undefined;
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** May do everything, whatever the roles say: there is always someone who can repair them. */
export const administrators = 'system:masters';

/** Whoever has shown who he is; but for nodes, which have no business at the API. */
export const authenticatedGroup = 'system:authenticated';

/** authentication.k8s.io UserInfo. */
export const userInfoOf = ({ name, ...rest }: User) => ({ username: name, ...rest });

/** The user that a ServiceAccount is. */
export const serviceAccountUser = (namespace: string, name: string): string =>
  `system:serviceaccount:${namespace}:${name}`;

export const serviceAccountGroups = (namespace: string): readonly string[] => [
  'system:serviceaccounts',
  `system:serviceaccounts:${namespace}`,
];

/** undefined: the user is no ServiceAccount. */
export function serviceAccountOf(user: string) {
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user) ?? [];
  return namespace && name ? { namespace, name } : undefined;
}
