import { TokenRequest } from '../../api/authentication.ts';
import { Pod } from '../../api/pod.ts';
import { parseRequest } from '../../api/prepare.ts';
import { ServiceAccount } from '../../api/service-account.ts';
import { conflict, found } from '../../api/status.ts';
import { type Answer, type ApiServerDeps, accepted, bodyOf, type Call } from './call.ts';
import { badRequest, writeOptions } from './request-options.ts';

/** serviceaccounts/token: what `kubectl create token` asks for. */
export async function requestToken(call: Call, deps: ApiServerDeps): Promise<Answer> {
  const { namespace, name, warn } = call;
  const { fieldValidation } = writeOptions(call);
  const parsed = parseRequest(TokenRequest, bodyOf(call), { namespace, fieldValidation });
  const request = accepted({ kind: TokenRequest, warn }, name, parsed);
  const account = found(ServiceAccount, name, await deps.objects.get(ServiceAccount, call));
  const pod = await boundPod(call, request, deps);
  // The token is good as soon as it is told.
  const revisions = [account, pod].map((one) => Number(one?.metadata.resourceVersion ?? 0));
  await deps.cache.reached(Math.max(...revisions));
  const { audiences, expirationSeconds } = request.spec;
  const status = deps.tokens.issue({ account, pod, audiences, expirationSeconds });
  return { code: 201, body: JSON.stringify({ ...request, status }) };
}

async function boundPod({ namespace, name }: Call, { spec }: TokenRequest, deps: ApiServerDeps) {
  const wanted = spec.boundObjectRef;
  if (!wanted) return undefined;
  const key = { namespace, name: wanted.name };
  const pod = found(Pod, wanted.name, await deps.objects.get(Pod, key));
  const why = `the UID in the bound object reference (${wanted.uid}) does not match the UID in record. The object might have been deleted and then recreated`;
  if (wanted.uid && wanted.uid !== pod.metadata.uid) throw conflict(Pod, wanted.name, why);
  if (name !== podsAccount)
    throw badRequest(
      `cannot bind token for serviceaccount "${name}" to pod running with different serviceaccount name.`,
    );
  return pod;
}

/** Of all pods, as long as `serviceAccountName` is refused. */
const podsAccount = 'default';
