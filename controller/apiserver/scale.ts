import { parseFieldPath, parseJsonPath } from '../../api/json-path.ts';
import type { AnyObject, Kind } from '../../api/kind.ts';
import { isObject } from '../../api/normalize.ts';
import { formatLabelSelector, type LabelSelector } from '../../api/selector.ts';
import { type Answer, type ApiServerDeps, bodyOf, type Call, metadataIn } from './call.ts';
import { readObject } from './get.ts';
import { applyMergePatch } from './patch/merge-patch.ts';
import { asText, badRequest, writeOptions } from './request-options.ts';
import { changeObject } from './update.ts';

/** The scale subresource: how many, of what says where it has its replicas, as autoscaling/v1 Scale. */

export async function getScale(call: Call, deps: ApiServerDeps): Promise<Answer> {
  return { code: 200, body: JSON.stringify(scaleOf(call.kind, await readObject(call, deps))) };
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
    change: (live) => scaled(call.kind, live, change(scaleOf(call.kind, live))),
  });
  return { code: 200, body: JSON.stringify(scaleOf(call.kind, object)) };
}

type Scale = ReturnType<typeof scaleOf>;

const readPath = (object: AnyObject, path = '') => parseJsonPath(path)(object)[0];

function scaleOf({ scale, defined }: Kind, object: AnyObject) {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = defined
    ? scale.labelSelectorPath && readPath(object, scale.labelSelectorPath)
    : formatLabelSelector(readPath(object, '.spec.selector') as LabelSelector | undefined);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: Number(readPath(object, scale.specReplicasPath) ?? 0) },
    status: {
      replicas: Number(readPath(object, scale.statusReplicasPath) ?? 0),
      ...(selector === undefined ? {} : { selector: asText(selector) }),
    },
  };
}

function scaled(kind: Kind, live: AnyObject, scale: Readonly<Record<string, unknown>>) {
  const spec = isObject(scale.spec) ? scale.spec : {};
  const { replicas = 0 } = spec;
  if (typeof replicas !== 'number' || !Number.isSafeInteger(replicas) || replicas < 0)
    throw badRequest('spec.replicas must be a number that is not negative');
  const { resourceVersion, uid } = metadataIn(scale);
  const named = { ...live, metadata: { ...live.metadata, resourceVersion, uid } };
  const path = parseFieldPath(kind.scale.specReplicasPath) ?? [];
  const change = path.reduceRight<unknown>((inner, name) => ({ [name]: inner }), replicas);
  return applyMergePatch(named, change) as Readonly<Record<string, unknown>>;
}
