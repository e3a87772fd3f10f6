import type { HTTPMethods } from 'fastify';
import { apiVersionOf, type Kind, type Subresource } from '../../api/kind.ts';
import { bindPod } from './binding.ts';
import type { Answer, ApiServer, Call, Streaming } from './call.ts';
import { createObject } from './create.ts';
import { deleteCollection, deleteObject, evictPod } from './delete.ts';
import { changeEphemeralContainers } from './ephemeral-containers.ts';
import { getObject } from './get.ts';
import { listObjects } from './list.ts';
import { patchObject, patchScale } from './patch.ts';
import { podLogs } from './pod-logs.ts';
import { badRequest, flag } from './request-options.ts';
import { collectionPath, groupVersionPath, objectPath } from './resource-path.ts';
import { getScale, replaceScale } from './scale.ts';
import { replaceObject } from './update.ts';
import { openWatch, serveWatch } from './watch.ts';

export interface ResourceRoute {
  readonly method: HTTPMethods;
  readonly path: string;
  readonly kind: Kind;
  readonly verb: keyof typeof methods;
  readonly subresource: Subresource | '';
  readonly handle: Handle;
}

type Handle = (call: Call, server: ApiServer) => Promise<Answer | Streaming>;

type Handles = Partial<Readonly<Record<ResourceRoute['verb'], Handle>>>;

const methods = {
  list: 'GET',
  create: 'POST',
  deletecollection: 'DELETE',
  get: 'GET',
  delete: 'DELETE',
  update: 'PUT',
  patch: 'PATCH',
} as const;

/** Every path that a kind is served at. */
export const routesOf = (kind: Kind): readonly ResourceRoute[] =>
  routesWith(kind, collectionHandles, objectHandles);

/** What is in namespaces is also listed over all of them. */
export function routesWith(kind: Kind, ofCollection: Handles, ofObject: Handles) {
  const routes = (path: string, handles: Handles, subresource: Subresource | '' = '') =>
    Object.entries(handles).map(([name, handle]): ResourceRoute => {
      const verb = name as ResourceRoute['verb'];
      return { kind, path, subresource, verb, method: methods[verb], handle };
    });
  const everywhere = `${groupVersionPath(apiVersionOf(kind))}/${kind.plural}`;
  const collection = collectionPath(kind, (name) => `:${name}`);
  const object = objectPath(kind, (name) => `:${name}`);
  const { list } = ofCollection;
  return [
    ...(kind.namespaced && list ? routes(everywhere, { list }) : []),
    ...routes(collection, ofCollection),
    ...routes(object, ofObject),
    ...kind.subresources.flatMap((name) =>
      routes(`${object}/${name}`, subresourceHandles[name], name),
    ),
  ];
}

async function listOrWatch(call: Call, server: ApiServer): Promise<Answer | Streaming> {
  if (!flag(call.query, 'watch')) return listObjects(call, server);
  const watch = await openWatch(call, server);
  return { stream: (response) => serveWatch(watch, server, response) };
}

/** Clients that mean it ask for an upgrade of the connection, which pod-upgrade.ts serves. */
const upgradeNeeded: Handle = () =>
  Promise.reject(badRequest('Upgrade request required: WebSocket or SPDY/3.1'));

const collectionHandles: Handles = {
  list: listOrWatch,
  create: createObject,
  deletecollection: deleteCollection,
};

const objectHandles: Handles = {
  get: getObject,
  delete: deleteObject,
  update: replaceObject,
  patch: patchObject,
};

const upgraded: Handles = { get: upgradeNeeded, create: upgradeNeeded };

const subresourceHandles: Readonly<Record<Subresource, Handles>> = {
  status: { get: getObject, update: replaceObject, patch: patchObject },
  scale: { get: getScale, update: replaceScale, patch: patchScale },
  log: { get: podLogs },
  eviction: { create: evictPod },
  binding: { create: bindPod },
  ephemeralcontainers: {
    get: getObject,
    update: changeEphemeralContainers(replaceObject),
    patch: changeEphemeralContainers(patchObject),
  },
  exec: upgraded,
  attach: upgraded,
  portforward: upgraded,
  // proxy.ts: routes of their own, as what is behind them has paths and bodies of its own.
  proxy: {},
};
