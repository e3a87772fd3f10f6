import type { Op } from '../kernel/op.ts';
import type { OciPlace } from './oci-place.ts';
import type { OciHook, OciSpec } from './oci-spec.ts';
import { planExec } from './plan-container.ts';
import { joinShared, spaceOf } from './plan-spaces.ts';

export type HookKind = keyof NonNullable<OciSpec['hooks']>;

/** Which hooks run at each `sync` of planContainer's list, in order. */
export function hooksAtSyncs({ hooks = {} }: OciSpec): readonly (readonly HookKind[])[] {
  const places = [['prestart', 'createRuntime', 'createContainer'], ['startContainer']] as const;
  return places
    .map((kinds) => kinds.filter((kind) => hooks[kind]))
    .filter((kinds) => kinds.length > 0);
}

/**
 * A hook's process; its standard input is the container's state. startContainer has the rights of the container's own
 * process; createContainer is in its namespaces, by a path of the host's.
 */
export function planHook(
  { path, args = [path], env = [] }: OciHook,
  of: Readonly<{ kind: HookKind; container: string; spec: OciSpec; place: OciPlace }>,
): readonly Op[] {
  const { kind, container, spec, place } = of;
  const { process, linux = {} } = spec;
  if (kind === 'startContainer' && process)
    return planExec({ ...process, args, env, terminal: false }, { container, linux, place }).map(
      (op) => (op.op === 'exec' ? { ...op, file: path } : op),
    );
  const namespaces = (['mount', 'pid', 'cgroup'] as const).filter((type) => spaceOf(linux, type));
  const inside: readonly Op[] = [
    ...joinShared(linux),
    { op: 'enter-container', container, namespaces },
    { op: 'set-root', path: '/' },
  ];
  return [
    ...(kind === 'createContainer' ? inside : []),
    { op: 'chdir', path: place.bundle },
    { op: 'new-session' },
    { op: 'exec', file: path, argv: args, env },
  ];
}
