import { Node } from '../../api/node.ts';
import { isObject } from '../../api/normalize.ts';
import { Pod } from '../../api/pod.ts';
import { conflict, found } from '../../api/status.ts';
import { type Answer, type ApiServerDeps, bodyOf, type Call, checkIdentity } from './call.ts';
import { badRequest, writeOptions } from './request-options.ts';
import { success } from './status-reply.ts';

/** pods/binding: what another scheduler than orc's sends. A pod is bound once. */
export async function bindPod(call: Call, deps: ApiServerDeps): Promise<Answer> {
  const body = bodyOf(call);
  const nodeName = targetOf(body);
  found(Node, nodeName, deps.cache.get(Node, { namespace: '', name: nodeName }));
  const bound = (pod: Pod): Pod => {
    checkIdentity(Pod, pod, body);
    const why = `pod ${call.name} is already assigned to node "${pod.spec.nodeName}"`;
    if (pod.spec.nodeName) throw conflict(Pod, call.name, why);
    return { ...pod, spec: { ...pod.spec, nodeName } };
  };
  const { objects } = deps;
  if (writeOptions(call).dryRun) bound(found(Pod, call.name, await objects.get(Pod, call)));
  else found(Pod, call.name, await objects.modify(Pod, { key: call, part: 'main' }, bound));
  return success(201);
}

function targetOf({ target }: Readonly<Record<string, unknown>>): string {
  const { kind = 'Node', name } = isObject(target) ? target : {};
  if (kind !== 'Node' || typeof name !== 'string' || name === '')
    throw badRequest('target must name a Node');
  return name;
}
