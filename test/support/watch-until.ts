import { get, type RequestOptions } from 'node:https';
import { json } from 'node:stream/consumers';
import type {
  CoreV1Event,
  KubeConfig,
  KubernetesListObject,
  KubernetesObject,
  V1Deployment,
  V1EndpointSlice,
  V1Node,
  V1Pod,
  V1ReplicaSet,
} from '@kubernetes/client-node';
import { Watch } from '@kubernetes/client-node';

interface Watched {
  readonly pods: V1Pod;
  readonly nodes: V1Node;
  readonly events: CoreV1Event;
  readonly deployments: V1Deployment;
  readonly replicasets: V1ReplicaSet;
  readonly endpointslices: V1EndpointSlice;
}

const paths: Readonly<Record<keyof Watched, string>> = {
  pods: '/api/v1/namespaces/default/pods',
  nodes: '/api/v1/nodes',
  events: '/api/v1/namespaces/default/events',
  deployments: '/apis/apps/v1/namespaces/default/deployments',
  replicasets: '/apis/apps/v1/namespaces/default/replicasets',
  endpointslices: '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices',
};

/** Given all objects of a resource, by name: what was waited for, or false or undefined. May throw to give up. */
type Holds<O, T> = (all: readonly O[]) => T | false | undefined;

export type Until = <R extends keyof Watched, T>(
  resource: R,
  holds: Holds<Watched[R], T>,
  deadlineMs?: number,
) => Promise<T>;

interface Watching<R> {
  readonly client: KubeConfig;
  readonly resource: R;
  readonly deadlineMs: number;
}

/** Watches until `holds` gives something. A watch that ends is begun again, as clients do. */
export async function watchUntil<R extends keyof Watched, T>(
  { client, resource, deadlineMs }: Watching<R>,
  holds: Holds<Watched[R], T>,
): Promise<T> {
  const deadline = AbortSignal.timeout(deadlineMs);
  let last: readonly Watched[R][] = [];
  const look: Holds<Watched[R], { found: T }> = (all) => {
    last = all;
    const found = holds(all);
    return found === undefined || found === false ? undefined : { found };
  };
  while (!deadline.aborted) {
    const answer = await oneWatch<Watched[R], { found: T }>({ client, resource, deadline }, look);
    if (answer) return answer.found;
  }
  const state = JSON.stringify(last.map(inShort), undefined, 1);
  throw new Error(`${resource}: not within ${deadlineMs} ms: ${String(holds)}\ninstead:\n${state}`);
}

/** Lists, then watches from there. Nothing: the watch ended, or the deadline came. */
async function oneWatch<O extends KubernetesObject, T>(
  of: {
    readonly client: KubeConfig;
    readonly resource: keyof Watched;
    readonly deadline: AbortSignal;
  },
  holds: Holds<O, T>,
): Promise<T | false | undefined> {
  const listed = await list<O>(of.client, of.resource);
  if (!listed) return undefined;
  const objects = new Map(listed.items.map((object) => [object.metadata?.name ?? '', object]));
  const already = holds([...objects.values()]);
  if (already) return already;
  return new Promise((resolve, reject) => {
    const end = new AbortController();
    const settle = (result: T | undefined) => {
      end.abort();
      resolve(result);
    };
    of.deadline.addEventListener('abort', () => settle(undefined), { signal: end.signal });
    const onEvent = (type: string, object: O) => {
      if (type === 'ERROR') return settle(undefined);
      if (type === 'BOOKMARK') return;
      const name = object.metadata?.name ?? '';
      if (type === 'DELETED') objects.delete(name);
      else objects.set(name, object);
      try {
        const answer = holds([...objects.values()]);
        if (answer) settle(answer);
      } catch (error) {
        reject(error);
        end.abort();
      }
    };
    new Watch(of.client)
      .watch(paths[of.resource], { resourceVersion: listed.version }, onEvent, () =>
        settle(undefined),
      )
      .then(
        (request) => {
          if (end.signal.aborted) request.abort();
          else end.signal.addEventListener('abort', () => request.abort());
        },
        () => settle(undefined),
      );
  });
}

const retryMs = 100;

/** Nothing, after a moment: nobody answered. A controller that was killed comes back. */
async function list<O>(
  client: KubeConfig,
  resource: keyof Watched,
): Promise<{ readonly items: readonly O[]; readonly version: string } | undefined> {
  const { server = '' } = client.getCurrentCluster() ?? {};
  const options: RequestOptions = {};
  await client.applyToHTTPSOptions(options);
  try {
    const { items, metadata } = await getJson(`${server}${paths[resource]}`, options);
    return { items: items as O[], version: metadata?.resourceVersion ?? '' };
  } catch {
    await new Promise((resolve) => setTimeout(resolve, retryMs));
    return undefined;
  }
}

function getJson(url: string, options: RequestOptions): Promise<KubernetesListObject<object>> {
  return new Promise((resolve, reject) => {
    const sent = get(url, options, (response) => {
      json(response).then((body) => resolve(body as KubernetesListObject<object>), reject);
    });
    sent.once('error', reject);
  });
}

/** What explains a failure: no spec, no managed fields. */
function inShort(object: KubernetesObject): object {
  const { status, reason, message, endpoints } = object as Record<string, unknown>;
  const { name, deletionTimestamp } = object.metadata ?? {};
  return { name, deletionTimestamp, reason, message, endpoints, status };
}
