import { Node } from '../../api/node.ts';
import { isObject } from '../../api/normalize.ts';
import { Pod } from '../../api/pod.ts';
import { conflict, found, notFound } from '../../api/status.ts';
import { type Answer, type ApiServerDeps, bodyOf, type Call } from './call.ts';
import { badRequest, writeOptions } from './request-options.ts';
import { success } from './status-reply.ts';

/** pods/binding: what another scheduler than orc's sends. A pod is bound once. */
export async function bindPod(call: Call, deps: ApiServerDeps): Promise<Answer> {
  const body = bodyOf(call);
  const nodeName = targetOf(body);
  if (!deps.cache.get(Node, { namespace: '', name: nodeName })) throw notFound(Node, nodeName);
  const pod = found(Pod, call.name, await deps.objects.get(Pod, call));
  const why = `pod ${call.name} is already assigned to node "${pod.spec.nodeName}"`;
  if (pod.spec.nodeName) throw conflict(Pod, call.name, why);
  if (!writeOptions(call).dryRun)
    await deps.objects.update(Pod, { ...pod, spec: { ...pod.spec, nodeName } }, 'main');
  return success(201);
}

function targetOf({ target }: Readonly<Record<string, unknown>>): string {
  const { kind = 'Node', name } = isObject(target) ? target : {};
  if (kind !== 'Node' || typeof name !== 'string' || name === '')
    throw badRequest('target must name a Node');
  return name;
}
