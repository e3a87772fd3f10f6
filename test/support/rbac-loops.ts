import { kinds } from '../../api/kinds.ts';
import { aggregatedRoleLoop } from '../../controller/controllers/aggregated-role.ts';
import { defaultRolesLoop } from '../../controller/controllers/default-roles.ts';
import { serviceAccountLoop } from '../../controller/controllers/service-account.ts';
import { runLoops } from '../../controller/store/run-loops.ts';
import type { ApiWorld } from './api-server.ts';

/** What the leader makes of roles and ServiceAccounts. */
export const runRbacLoops = ({ deps }: Pick<ApiWorld, 'deps'>) =>
  runLoops([defaultRolesLoop(kinds), aggregatedRoleLoop, serviceAccountLoop], {
    ...deps,
    recordEvent: () => {},
  });
