import { Pod } from '../../api/pod.ts';
import { validateEphemeralUpdate } from '../../api/validate-pod-spec.ts';
import type { Answer, ApiServer, Call } from './call.ts';

/** Pods as pods/ephemeralcontainers changes them: of the rest of a request nothing counts, as in Kubernetes. */
const kind: typeof Pod = {
  ...Pod,
  inherit({ spec: { ephemeralContainers }, metadata: { managedFields } }, previous) {
    const metadata = { ...previous.metadata, managedFields };
    return { ...previous, metadata, spec: { ...previous.spec, ephemeralContainers } };
  },
  validateUpdate: (next, previous, at) =>
    validateEphemeralUpdate(previous.spec)(next.spec, at('spec')),
};

type Change = (call: Call, server: ApiServer) => Promise<Answer>;

/** The same change, of this part only. */
export const changeEphemeralContainers =
  (change: Change): Change =>
  (call, server) =>
    change({ ...call, kind }, server);
