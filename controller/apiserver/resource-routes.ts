import type { Kind, Subresource } from '../../api/kind.ts';
import { StatusError } from '../../api/status.ts';
import { kindPrefix } from '../store/keys.ts';
import type { ServedKinds } from '../store/objects.ts';
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
import { decodePart, partsOf } from './resource-path.ts';
import { getScale, replaceScale } from './scale.ts';
import { requestToken } from './service-account-token.ts';
import { noSuchPath } from './status-reply.ts';
import { unstoredKinds } from './unstored-kinds.ts';
import { replaceObject } from './update.ts';
import { watchObjects } from './watch.ts';

/** What a request is for. */
export interface ResourceRoute extends Pick<Call, 'kind' | 'namespace' | 'name' | 'subresource'> {
  readonly verb: keyof typeof methods;
  readonly handle: Handle;
}

type Handle = (call: Call, server: ApiServer) => Promise<Answer | Streaming>;

export type Handles = { readonly [verb in ResourceRoute['verb']]?: Handle | undefined };
export type KindHandles = Readonly<Record<'collection' | 'object', Handles>>;

const methods = {
  list: 'GET',
  watch: 'GET',
  create: 'POST',
  deletecollection: 'DELETE',
  get: 'GET',
  delete: 'DELETE',
  update: 'PUT',
  patch: 'PATCH',
} as const;

/** Throws NotFound for a path that nothing is served at, MethodNotAllowed for a method that it lacks. */
export function routeOf(
  kinds: ServedKinds,
  { method, url }: Readonly<{ method?: string | undefined; url?: string | undefined }>,
): ResourceRoute {
  const { path, query } = partsOf({ url });
  const address = addressOf(kinds, path.split('/').slice(1).map(decodePart));
  const handles = address && handlesOf(address);
  if (!handles) throw noSuchPath();
  const isWatch = method === 'GET' && address.name === '' && flag(query, 'watch');
  for (const [name, handle] of Object.entries(handles)) {
    const verb = name as ResourceRoute['verb'];
    if (handle && methods[verb] === method && (verb === 'watch') === isWatch)
      return { ...address, verb, handle };
  }
  throw methodNotAllowed();
}

export const methodNotAllowed = () =>
  new StatusError(
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
  );

type Address = Pick<Call, 'kind' | 'namespace' | 'name' | 'subresource'>;

/** api/v1/… or apis/GROUP/VERSION/…, then [namespaces/NAMESPACE/]PLURAL[/NAME[/SUBRESOURCE]] */
function addressOf(kinds: ServedKinds, [root, ...path]: readonly string[]): Address | undefined {
  const [group = '', version, ...place] = root === 'api' ? ['', ...path] : path;
  const kindOf = (plural = '') =>
    [kinds.at(kindPrefix({ group, plural })), ...unstoredKinds.keys()].find(
      (kind) => kind?.plural === plural && kind.group === group && kind.version === version,
    );
  const inner = place[0] === 'namespaces' ? kindOf(place[2]) : undefined;
  const kind = inner ?? kindOf(place[0]);
  const [name = '', subresource = '', ...more] = place.slice(inner ? 3 : 1);
  const isWhole = more.length === 0 && place.at(-1) !== '' && (!inner || inner.namespaced);
  if (!kind || !isWhole || !isSubresource(kind, subresource)) return undefined;
  return { kind, namespace: (inner && place[1]) ?? '', name, subresource };
}

const isSubresource = ({ subresources }: Kind, name: string): name is Subresource | '' =>
  name === '' || subresources.some((one) => one === name);

/** What is in namespaces is also listed over all of them. */
function handlesOf({ kind, namespace, name, subresource }: Address): Handles | undefined {
  const { collection, object } = unstoredKinds.get(kind) ?? ordinaryHandles;
  const isEverywhere = kind.namespaced && namespace === '';
  const { list, watch } = collection;
  if (name === '') return isEverywhere ? list && { list, watch } : collection;
  if (isEverywhere) return undefined;
  return subresource === '' ? object : subresourceHandles[subresource];
}

/** Clients that mean it ask for an upgrade of the connection, which pod-upgrade.ts serves. */
const upgradeNeeded: Handle = () =>
  Promise.reject(badRequest('Upgrade request required: WebSocket or SPDY/3.1'));

const collectionHandles: Handles = {
  list: listObjects,
  watch: watchObjects,
  create: createObject,
  deletecollection: deleteCollection,
};

const objectHandles: Handles = {
  get: getObject,
  delete: deleteObject,
  update: replaceObject,
  patch: patchObject,
};

const ordinaryHandles = { collection: collectionHandles, object: objectHandles };

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
  token: { create: requestToken },
  // proxy.ts: routes of their own, as what is behind them has paths and bodies of its own.
  proxy: {},
};
