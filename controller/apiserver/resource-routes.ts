import type { HTTPMethods } from 'fastify';
import type { Kind, Subresource } from '../../api/kind.ts';
import type { Verb } from './authorize.ts';
import { bindPod } from './binding.ts';
import type { Answer, ApiServer, Call, Streaming } from './call.ts';
import { createObject } from './create.ts';
import { deleteCollection, deleteObject } from './delete.ts';
import { evictPod } from './eviction.ts';
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
  readonly verb: Verb;
  readonly subresource: Subresource | '';
  readonly handle: Handle;
}

type Handle = (call: Call, server: ApiServer) => Promise<Answer | Streaming>;

/** Every path that a kind is served at. */
export function routesOf(kind: Kind): readonly ResourceRoute[] {
  const everywhere = `${groupVersionPath(kind)}/${kind.plural}`;
  const collection = collectionPath(kind, (name) => `:${name}`);
  const object = objectPath(kind, (name) => `:${name}`);
  return [
    ...[...new Set([everywhere, collection])].map(
      (path): ResourceRoute => ({ ...at(kind, path), ...verbs.list, handle: listOrWatch }),
    ),
    { ...at(kind, collection), ...verbs.create, handle: createObject },
    { ...at(kind, collection), ...verbs.deletecollection, handle: deleteCollection },
    { ...at(kind, object), ...verbs.get, handle: getObject },
    { ...at(kind, object), ...verbs.delete, handle: deleteObject },
    { ...at(kind, object), ...verbs.update, handle: replaceObject },
    { ...at(kind, object), ...verbs.patch, handle: patchObject },
    ...kind.subresources.flatMap((name) => subresourceRoutes(kind, `${object}/${name}`, name)),
  ];
}

const verbs = {
  list: { method: 'GET', verb: 'list' },
  create: { method: 'POST', verb: 'create' },
  deletecollection: { method: 'DELETE', verb: 'deletecollection' },
  get: { method: 'GET', verb: 'get' },
  delete: { method: 'DELETE', verb: 'delete' },
  update: { method: 'PUT', verb: 'update' },
  patch: { method: 'PATCH', verb: 'patch' },
} as const;

const at = (kind: Kind, path: string) => ({ kind, path, subresource: '' }) as const;

async function listOrWatch(call: Call, server: ApiServer): Promise<Answer | Streaming> {
  if (!flag(call.query, 'watch')) return listObjects(call, server);
  const watch = await openWatch(call, server);
  return { stream: (response) => serveWatch(watch, server, response) };
}

function subresourceRoutes(kind: Kind, path: string, name: Subresource): readonly ResourceRoute[] {
  const base = { kind, path, subresource: name };
  switch (name) {
    case 'status':
      return [
        { ...base, ...verbs.get, handle: getObject },
        { ...base, ...verbs.update, handle: replaceObject },
        { ...base, ...verbs.patch, handle: patchObject },
      ];
    case 'scale':
      return [
        { ...base, ...verbs.get, handle: getScale },
        { ...base, ...verbs.update, handle: replaceScale },
        { ...base, ...verbs.patch, handle: patchScale },
      ];
    case 'log':
      return [{ ...base, ...verbs.get, handle: podLogs }];
    case 'eviction':
      return [{ ...base, ...verbs.create, handle: evictPod }];
    case 'binding':
      return [{ ...base, ...verbs.create, handle: bindPod }];
    case 'exec':
    case 'attach':
    case 'portforward':
      return [
        { ...base, ...verbs.get, handle: upgradeNeeded },
        { ...base, ...verbs.create, handle: upgradeNeeded },
      ];
  }
}

/** Clients that mean it ask for an upgrade of the connection, which pod-upgrade.ts serves. */
const upgradeNeeded: Handle = () =>
  Promise.reject(badRequest('Upgrade request required: WebSocket or SPDY/3.1'));
