import { existsSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type OciLinux, parseOciProcess } from '../oci/oci-spec.ts';
import { planExec, withinUserNamespace } from '../oci/plan-container.ts';
import { planRequest } from '../oci/plan-request.ts';
import { joins, openSpaces } from '../oci/plan-spaces.ts';
import { type Call, CommandError, type Given, readCallers } from './call.ts';
import { birthplace, isFrozen } from './container-cgroup.ts';
import { find, isAlive, type Stored } from './container-state.ts';
import { first } from './hooks.ts';
import { wholeNumber } from './options.ts';
import { subjectOf } from './place.ts';
import { completeProcess, grantable, inTheirWords, streamsOf } from './process.ts';

/** Another process in a container: its exit code, 0 if nobody waits for it. Throws CommandError. */
export async function exec(call: Call, given: Given<'exec'>): Promise<number> {
  const { options, id } = given;
  const { front } = call;
  const stored = find(call.root, id);
  if (!isAlive(stored)) throw new CommandError('cannot exec in a stopped container');
  if (isFrozen(stored.record.cgroups) && !options['ignore-paused'])
    throw new CommandError('cannot exec in a paused container (use --ignore-paused to override)');
  const { spec, place: usual, bundle } = subjectOf(call, stored);
  const root = resolve(bundle, spec.root?.path ?? '');
  const process = completeProcess(
    call,
    grantable(call, await processOf(call, given, stored)),
    root,
  );
  const place = { ...usual, attach: usual.attach.map((file) => inGroup(file, options.cgroup)) };
  const linux = call.power === 'user' ? withinUserNamespace(spec) : (spec.linux ?? {});
  const ops = [
    ...(call.power === 'user' ? joinUser(spec.linux ?? {}) : []),
    ...planExec(process, { container: first, linux, place }),
  ];
  const request = planRequest({ ...spec, process }, { id, status: 'running', bundle });
  const { cgroup2Dir } = birthplace(place.cgroups);
  await front.meet(first, { pid: stored.record.pid });
  if (!isAlive(stored)) throw new CommandError('cannot exec in a stopped container');
  const { pid } = await front
    .start({
      ...request,
      container: 'exec',
      namespaces: [],
      cgroup2Dir: cgroup2Dir && dirname(inGroup(join(cgroup2Dir, 'cgroup.procs'), options.cgroup)),
      ...streamsOf(call, { ...spec, process }, options),
      ops,
    })
    .catch(inTheirWords(ops));
  if (options['pid-file'] !== undefined)
    writeFileSync(resolve(front.called.directory, options['pid-file']), String(pid));
  return options.detach ? 0 : front.outlive('exec');
}

const joinUser = (linux: OciLinux) => [...openSpaces(linux, ['user']), ...joins(linux, ['user'])];

/** `--cgroup`: a group below the container's, that is there; "controller:path" for one tree. Throws CommandError. */
function inGroup(file: string, below = ''): string {
  const [, controllers, path = ''] = /^(?:([^:/]+):)?(.*)$/.exec(below) ?? [];
  if (
    controllers !== undefined &&
    !controllers.split(',').some((name) => file.split('/').includes(name))
  )
    return file;
  const found = join(dirname(file), path, basename(file));
  if (!existsSync(found) || path.split('/').includes('..'))
    throw new CommandError(`bad sub cgroup path: "${below}" is no group below the container’s`);
  return found;
}

/** Of a file; or the container's own, with what the options change. */
async function processOf(call: Call, { options, words: command }: Given<'exec'>, { spec }: Stored) {
  const { process: file, user, cap = [] } = options;
  if (file !== undefined) return parseOciProcess(await readCallers(call, file));
  const own = spec.process;
  if (command.length === 0 || !own) throw new CommandError('process args cannot be empty');
  const { apparmor, cwd, env = [] } = options;
  const label = options['process-label'];
  const gids = options['additional-gids']?.map((gid) => wholeNumber(gid, 'additional-gids'));
  const { execCPUAffinity, ...rest } = own;
  const capabilities = { ...own.capabilities };
  const isAmbient = (capabilities.ambient?.length ?? 0) > 0;
  const further = isAmbient ? (['inheritable', 'ambient'] as const) : [];
  for (const set of ['bounding', 'effective', 'permitted', ...further] as const)
    capabilities[set] = [...new Set([...(capabilities[set] ?? []), ...cap])];
  return {
    ...rest,
    ...(execCPUAffinity && { execCPUAffinity }),
    args: [...command],
    terminal: options.tty ?? false,
    env: [
      ...(own.env ?? []).filter((entry) => !env.some((other) => nameOf(other) === nameOf(entry))),
      ...env,
    ],
    ...(cwd !== undefined && { cwd }),
    ...(user !== undefined && { user: userOf(user) }),
    ...(gids && {
      user: { ...(user === undefined ? own.user : userOf(user)), additionalGids: gids },
    }),
    ...(cap.length > 0 && { capabilities }),
    ...(apparmor !== undefined && { apparmorProfile: apparmor }),
    ...(label !== undefined && { selinuxLabel: label }),
    ...(options['no-new-privs'] && { noNewPrivileges: true }),
  };
}

const nameOf = (entry: string) => entry.split('=', 1)[0];

/** "uid" or "uid:gid". Throws CommandError. */
function userOf(text: string): { readonly uid: number; readonly gid: number } {
  const [, uid, gid = '0'] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text) ?? [];
  if (uid === undefined || Number(uid) >= 2 ** 32 - 1 || Number(gid) >= 2 ** 32 - 1)
    throw new CommandError(`--user: "${text}" is not uid or uid:gid`);
  return { uid: Number(uid), gid: Number(gid) };
}
