import { kinds } from '../../api/kinds.ts';
import { aggregatedRoleLoop } from './aggregated-role.ts';
import { defaultRolesLoop } from './default-roles.ts';
import { definitionLoop } from './definition.ts';
import { deploymentLoop, replicaSetsByController } from './deployment.ts';
import { endpointSliceLoop } from './endpoint-slice.ts';
import { eventExpiryLoop } from './event-expiry.ts';
import { garbageCollector, objectsByOwner } from './garbage-collector.ts';
import { namespaceLoop } from './namespace.ts';
import { nodeLifecycleLoop } from './node-lifecycle.ts';
import { podGarbageLoop } from './pod-garbage.ts';
import { podsByController, replicaSetLoop } from './replica-set.ts';
import { resourceQuotaLoop } from './resource-quota.ts';
import { serviceAccountLoop } from './service-account.ts';

/** All the loops that keep objects as they should be, and the indexes that the cache needs for them, beside the shared ones. */
export const controllerLoops = () => ({
  loops: [
    deploymentLoop,
    replicaSetLoop,
    endpointSliceLoop,
    nodeLifecycleLoop(),
    podGarbageLoop,
    namespaceLoop,
    definitionLoop,
    resourceQuotaLoop,
    serviceAccountLoop,
    aggregatedRoleLoop,
    defaultRolesLoop(kinds),
    eventExpiryLoop,
    garbageCollector,
  ],
  indexes: [replicaSetsByController, podsByController, objectsByOwner],
});
