import type { ContainerSecurity } from '../ports.ts';
import { configError } from './container-error.ts';

export interface UserRequest {
  readonly security: ContainerSecurity;
  /** The image's `user`. */
  readonly imageUser: string;
  /** The image's /etc/passwd and /etc/group, "" where it has none. */
  readonly passwd: string;
  readonly group: string;
  /** "web_default(3e1…)" and the container's name, for Kubernetes' messages. */
  readonly pod: string;
  readonly container: string;
}

export type ResolvedUser = ReturnType<typeof resolveUser>;

/**
 * Who the process runs as, by Kubernetes' rules: runAsUser and runAsGroup before the image's user; groups of the image
 * that name the user, supplementalGroups and fsGroup on top. Throws ContainerError(CreateContainerConfigError).
 */
export function resolveUser(request: UserRequest) {
  const { security } = request;
  const [imageUser = '', imageGroup] = request.imageUser.split(':', 2);
  refuseRoot(request, imageUser);
  const users = parsePasswd(request.passwd);
  const wanted = security.runAsUser === undefined ? imageUser || '0' : String(security.runAsUser);
  const entry = users.find((user) => user.name === wanted) ?? findById(users, wanted);
  const uid = entry?.uid ?? parseId(wanted, 'user', wanted);
  const groups = parseGroup(request.group);
  const gid = primaryGroup(request, { groups, imageGroup, entry });
  const named = groups.filter((group) => entry && group.members.includes(entry.name));
  // With the primary group, so that files that exclude it by group stay excluded (CVE-2022-36109).
  const additionalGids = [
    ...new Set([
      gid,
      ...named.map((group) => group.gid),
      ...security.supplementalGroups,
      ...(security.fsGroup === undefined ? [] : [security.fsGroup]),
    ]),
  ];
  return { uid, gid, additionalGids, home: entry?.home };
}

type PasswdEntry = Readonly<{ name: string; uid: number; gid: number; home: string }>;

type GroupEntry = Readonly<{ name: string; gid: number; members: readonly string[] }>;

/** The words of the kubelet's verifyRunAsNonRoot. */
function refuseRoot({ security, pod, container, ...request }: UserRequest, user: string): void {
  if (!security.runAsNonRoot) return;
  const where = `(pod: "${pod}", container: ${container})`;
  if (security.runAsUser === 0)
    throw configError(`container's runAsUser breaks non-root policy ${where}`);
  if (security.runAsUser !== undefined) return;
  if (user !== '' && !/^\d+$/.test(user))
    throw configError(
      `container has runAsNonRoot and image has non-numeric user (${request.imageUser}), ` +
        `cannot verify user is non-root ${where}`,
    );
  if (user === '' || parseId(user, 'user', user) === 0)
    throw configError(`container has runAsNonRoot and image will run as root ${where}`);
}

function primaryGroup(
  { security }: UserRequest,
  of: {
    groups: readonly GroupEntry[];
    imageGroup: string | undefined;
    entry?: PasswdEntry | undefined;
  },
): number {
  if (security.runAsGroup !== undefined) return security.runAsGroup;
  const { imageGroup } = of;
  if (security.runAsUser !== undefined || imageGroup === undefined || imageGroup === '')
    return of.entry?.gid ?? 0;
  const named = of.groups.find((group) => group.name === imageGroup);
  return named?.gid ?? parseId(imageGroup, 'group', imageGroup);
}

/** Ids are 32 bits and the last means "no id": anything beyond would wrap round to root (CVE-2024-40635). */
const MAX_ID = 2 ** 31 - 1;

function parseId(text: string, what: 'user' | 'group', shown: string): number {
  if (!/^\d+$/.test(text))
    throw configError(`unable to find ${what} ${shown}: no matching entries in ${what} file`);
  const id = Number(text);
  if (id > MAX_ID) throw configError(`${what} id ${shown} is out of range 0-${MAX_ID}`);
  return id;
}

const findById = (users: readonly PasswdEntry[], text: string): PasswdEntry | undefined =>
  /^\d{1,10}$/.test(text) ? users.find((user) => user.uid === Number(text)) : undefined;

const parsePasswd = (text: string): readonly PasswdEntry[] =>
  fieldsOf(text).flatMap(([name = '', , uid = '', gid = '', , home = '']) =>
    isId(uid) && isId(gid) && name !== ''
      ? [{ name, uid: Number(uid), gid: Number(gid), home }]
      : [],
  );

const parseGroup = (text: string): readonly GroupEntry[] =>
  fieldsOf(text).flatMap(([name = '', , gid = '', members = '']) =>
    isId(gid) && name !== '' ? [{ name, gid: Number(gid), members: members.split(',') }] : [],
  );

const fieldsOf = (text: string) => text.split('\n').map((line) => line.trim().split(':'));

/** A line with an id that can't be is no line: it must not be found by its name either. */
const isId = (text: string): boolean => /^\d{1,10}$/.test(text) && Number(text) <= MAX_ID;
