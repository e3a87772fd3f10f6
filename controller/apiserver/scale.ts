import type { AnyObject } from '../../api/kind.ts';
import { isObject } from '../../api/normalize.ts';
import { formatLabelSelector, type LabelSelector } from '../../api/selector.ts';
import { type Answer, type ApiServerDeps, bodyOf, type Call } from './call.ts';
import { readObject } from './get.ts';
import { badRequest, writeOptions } from './request-options.ts';
import { changeObject } from './update.ts';

/** The scale subresource: how many, of what has `spec.replicas`, as autoscaling/v1 Scale. */

export async function getScale(call: Call, deps: ApiServerDeps): Promise<Answer> {
  return { code: 200, body: JSON.stringify(scaleOf(await readObject(call, deps))) };
}

export async function replaceScale(call: Call, deps: ApiServerDeps): Promise<Answer> {
  const body = bodyOf(call);
  return changeScale(call, deps, () => body);
}

/** `change` gets the Scale as it is and gives it as wanted. */
export async function changeScale(
  call: Call,
  deps: ApiServerDeps,
  change: (scale: Scale) => Readonly<Record<string, unknown>>,
): Promise<Answer> {
  const object = await changeObject(call, deps, {
    options: writeOptions(call),
    change: (live) => scaled(live, change(scaleOf(live))),
  });
  return { code: 200, body: JSON.stringify(scaleOf(object)) };
}

type Scale = ReturnType<typeof scaleOf>;

/** What the kinds with a scale have in common. */
interface Scalable {
  readonly spec: { readonly replicas: number; readonly selector?: LabelSelector };
  readonly status: { readonly replicas?: number };
}

function scaleOf(object: AnyObject) {
  const { spec, status } = object as AnyObject & Scalable;
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: spec.replicas },
    status: { replicas: status.replicas ?? 0, selector: formatLabelSelector(spec.selector) },
  };
}

function scaled(live: AnyObject, scale: Readonly<Record<string, unknown>>) {
  const spec = isObject(scale.spec) ? scale.spec : {};
  const { replicas = 0 } = spec;
  if (typeof replicas !== 'number' || !Number.isSafeInteger(replicas) || replicas < 0)
    throw badRequest('spec.replicas must be a number that is not negative');
  const { resourceVersion, uid } = isObject(scale.metadata) ? scale.metadata : {};
  const { spec: liveSpec } = live as AnyObject & Scalable;
  return {
    ...live,
    metadata: { ...live.metadata, resourceVersion, uid },
    spec: { ...liveSpec, replicas },
  };
}
