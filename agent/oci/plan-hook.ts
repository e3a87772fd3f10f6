import type { Op } from '../kernel/op.ts';
import type { OciHook, OciLinux, OciSpec } from './oci-spec.ts';
import { joinShared, spaceOf } from './plan-spaces.ts';

export type HookKind = keyof NonNullable<OciSpec['hooks']>;

/** Which hooks run at each `sync` of planContainer's list, in order. */
export function hooksAtSyncs({ hooks = {} }: OciSpec): readonly (readonly HookKind[])[] {
  const places = [['prestart', 'createRuntime', 'createContainer'], ['startContainer']] as const;
  return places
    .map((kinds) => kinds.filter((kind) => hooks[kind]))
    .filter((kinds) => kinds.length > 0);
}

/** A hook's process; its standard input is the container's state. createContainer and startContainer run inside. */
export function planHook(
  { path, args = [], env = [] }: OciHook,
  of: { readonly kind: HookKind; readonly container: string; readonly linux: OciLinux },
): readonly Op[] {
  const { kind, container, linux } = of;
  const namespaces = (['mount', 'pid', 'cgroup'] as const).filter((type) => spaceOf(linux, type));
  const inside: readonly Op[] = [
    ...joinShared(linux),
    { op: 'enter-container', container, namespaces },
    { op: 'set-root', path: '/' },
  ];
  return [
    ...(kind === 'createContainer' || kind === 'startContainer' ? inside : []),
    { op: 'new-session' },
    { op: 'exec', argv: [path, ...args.slice(1)], env },
  ];
}
