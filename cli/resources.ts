import type { IncomingMessage } from 'node:http';
import type { AnyObject, Kind } from '../api/kind.ts';
import { kinds } from '../api/kinds.ts';
import { hasReason } from '../api/status.ts';
import { UsageError } from '../base/flags.ts';
import type { ApiClient, ApiRequest, Query, Reply } from './client.ts';
import { discoverKinds } from './discovery.ts';

/** An object's place; "" where the kind has no namespaces. */
export type ObjectRef = Readonly<{ kind: Kind; namespace: string; name: string }>;

export interface Selection {
  readonly kind: Kind;
  /** "": all. */
  readonly namespace: string;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** At most so many. */
  readonly limit?: number;
}

interface ObjectList<T extends AnyObject = AnyObject> {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly T[];
}

export function collectionPath({ kind, namespace }: Pick<Selection, 'kind' | 'namespace'>): string {
  const root = kind.group === '' ? '/api' : `/apis/${kind.group}`;
  const scope =
    kind.namespaced && namespace !== '' ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}/${kind.version}${scope}/${kind.plural}`;
}

/** Throws UsageError where the name is empty: that path would be the whole collection's. */
export function objectPath(ref: ObjectRef, subresource = ''): string {
  if (ref.name === '') throw new UsageError(`the name of a ${ref.kind.singular} is empty`);
  return `${collectionPath(ref)}/${encodeURIComponent(ref.name)}${subresource && `/${subresource}`}`;
}

/** What was asked for; undefined: it isn't there. */
export async function ifFound<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (hasReason(error, 'NotFound')) return undefined;
    throw error;
  }
}

/** Of one object alone. */
export const justThis = ({ kind, namespace, name }: ObjectRef): Selection => ({
  ...{ kind, namespace, fieldSelector: `metadata.name=${name}` },
});

export const selectorsOf = ({ labelSelector, fieldSelector }: Selection): Query => ({
  labelSelector,
  fieldSelector,
});

const fieldManager = 'orc';

const patchTypes = { strategic: 'strategic-merge-patch', merge: 'merge-patch', json: 'json-patch' };

export interface Patch {
  readonly body: unknown;
  readonly as?: keyof typeof patchTypes;
  readonly subresource?: string | undefined;
  readonly dryRun?: boolean;
}

/** The cluster's objects, over a connection that is made for the first question. Throws StatusError, CliError. */
export class Api {
  readonly #connect: () => Promise<ApiClient>;
  #client: Promise<ApiClient> | undefined;
  #kinds: Promise<readonly Kind[]> | undefined;

  constructor(connect: () => Promise<ApiClient>) {
    this.#connect = connect;
  }

  connected(): Promise<ApiClient> {
    return (this.#client ??= this.#connect());
  }

  /** Those that are built in, and those that the cluster has besides: it is asked once. */
  kinds(): Promise<readonly Kind[]> {
    return (this.#kinds ??= discoverKinds(this, '/apis').then((found) => [
      ...kinds,
      ...found.filter((one) => !kinds.some((k) => k.kind === one.kind && k.group === one.group)),
    ]));
  }

  async send<T>(request: ApiRequest): Promise<Reply<T>> {
    return (await this.connected()).send(request);
  }

  /** The answer as it arrives. */
  async open(request: ApiRequest): Promise<IncomingMessage> {
    return (await this.connected()).open(request);
  }

  /** Its lines as they arrive. */
  async *lines(request: ApiRequest): AsyncGenerator<string> {
    yield* (await this.connected()).lines(request);
  }

  async get<T = AnyObject>(ref: ObjectRef, subresource?: string): Promise<T> {
    return (await this.send<T>({ path: objectPath(ref, subresource) })).body;
  }

  async list<T extends AnyObject = AnyObject>(selection: Selection): Promise<ObjectList<T>> {
    const query = { ...selectorsOf(selection), limit: selection.limit };
    return (await this.send<ObjectList<T>>({ path: collectionPath(selection), query })).body;
  }

  /** Server-side apply. 201: it was made. */
  apply(
    ref: ObjectRef,
    { body, dryRun = false, force = false }: { body: unknown; dryRun?: boolean; force?: boolean },
  ): Promise<Reply<AnyObject>> {
    const query = { fieldManager, force, ...(dryRun ? { dryRun: 'All' } : {}) };
    const type = 'application/apply-patch+yaml';
    return this.send({ method: 'PATCH', path: objectPath(ref), query, type, body });
  }

  /** Gives what became of it. */
  async patch<T = AnyObject>(ref: ObjectRef, patch: Patch): Promise<T> {
    const { body, as = 'merge', subresource, dryRun = false } = patch;
    const path = objectPath(ref, subresource);
    const query = { fieldManager, dryRun: dryRun && 'All' };
    const type = `application/${patchTypes[as]}+json`;
    return (await this.send<T>({ method: 'PATCH', path, query, type, body })).body;
  }

  close(): void {
    void this.#client?.then((client) => client.close()).catch(() => {});
  }
}
