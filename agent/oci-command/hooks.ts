import { writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { withDeadline } from '../../base/deadline.ts';
import type { OciPlace } from '../oci/oci-place.ts';
import type { OciHook, OciSpec } from '../oci/oci-spec.ts';
import { type HookKind, planHook } from '../oci/plan-hook.ts';
import { planRequest } from '../oci/plan-request.ts';
import { type Call, CommandError } from './call.ts';
import type { Status } from './container-state.ts';

/** Whose hooks, and what they are told of it: the specification's "state". */
export interface HookSubject {
  readonly id: string;
  readonly bundle: string;
  readonly directory: string;
  readonly spec: OciSpec;
  readonly place: OciPlace;
}

/** What a front calls the container's first process. */
export const first = 'container';

/** One after the other; the first that fails ends it. Throws CommandError. */
export async function runHooks(
  call: Call,
  subject: HookSubject,
  of: { readonly kind: HookKind; readonly status: Status; readonly pid: number },
): Promise<void> {
  const { id, bundle, directory, spec, place } = subject;
  const { kind, status, pid } = of;
  const { ociVersion, annotations } = spec;
  const input = join(directory, `${kind}.json`);
  const hooks = spec.hooks?.[kind] ?? [];
  if (hooks.length === 0) return;
  const environment = Object.entries(call.front.called.env).map((entry) => entry.join('='));
  writeFileSync(input, JSON.stringify({ ociVersion, id, status, pid, bundle, annotations }));
  for (const [i, hook] of hooks.entries()) {
    const env = hook.env ?? (kind === 'startContainer' ? spec.process?.env : environment);
    const ops = planHook({ ...hook, ...(env && { env }) }, { kind, container: first, spec, place });
    const name = `hook-${kind}-${i}`;
    const what = `error running ${kind} hook #${i}: ${hook.path}`;
    const { listener } = planRequest(spec, { id, status: 'creating', bundle });
    const isInside = kind === 'startContainer';
    const start = {
      ...{ container: name, namespaces: [], cgroup2Dir: undefined, isPassing: true },
      ...(isInside && listener && { listener }),
    };
    const run = async () => {
      await call.front.start({ ...start, ops: [{ op: 'input', path: input }, ...ops] });
      return call.front.exitOf(name);
    };
    await within(call, hook, run).then(
      ({ exitCode }) => {
        if (exitCode !== 0)
          throw new CommandError(`${what}: ${kind} hook failed with exit code ${exitCode}`);
      },
      async (cause: unknown) => {
        await call.front.kill(name, constants.signals.SIGKILL);
        throw new CommandError(what, { cause });
      },
    );
  }
}

function within<T>({ clock }: Call, { path, timeout }: OciHook, run: () => Promise<T>): Promise<T> {
  return timeout ? withDeadline({ clock, ms: timeout * 1000, what: path }, run) : run();
}
