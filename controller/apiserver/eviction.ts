import type { Answer, ApiServerDeps, Call } from './call.ts';
import { deleteOne } from './delete.ts';
import { checkAddress } from './incoming.ts';
import { parseObjectBody } from './parse-body.ts';
import { deleteRequest } from './request-options.ts';
import { successStatus } from './status-reply.ts';

/** pods/eviction (policy/v1): a deletion with grace. `kubectl drain --dry-run` says so in the body's deleteOptions. */
export async function evictPod(call: Call, deps: ApiServerDeps): Promise<Answer> {
  const body = parseObjectBody(call);
  checkAddress(call, body);
  await deleteOne(call, deleteRequest(call.query, body.deleteOptions), deps);
  return { code: 201, body: JSON.stringify({ ...successStatus({}), code: 201 }) };
}
