import { checkShape } from '../../api/check-shape.ts';
import * as field from '../../api/field-error.ts';
import { fieldPath } from '../../api/field-error.ts';
import { fillDefaults, isObject, normalize, pruneUnknown } from '../../api/normalize.ts';
import * as s from '../../api/schema.ts';
import { invalid, StatusError } from '../../api/status.ts';
import type { PodLogOptions } from '../pod-access.ts';
import type { DeleteOptions } from '../store/objects.ts';
import type { Call } from './call.ts';

/** What the query (and for deletions the body) asks for: Kubernetes' option kinds. Pure; what can't be read is a 400. */

const resourceVersionMatch = s.str({ values: ['Exact', 'NotOlderThan'] });

const listFields = {
  labelSelector: s.str().default(''),
  fieldSelector: s.str().default(''),
  /** 0: no limit. */
  limit: s.long({ min: 0 }).default(0),
  /** "" for the first page. */
  continue: s.str().default(''),
  resourceVersion: s.str().default(''),
  resourceVersionMatch,
};

export type ListOptions = s.ObjectOf<typeof listFields>;

/** Kubernetes' rules and words: clients know by Invalid that they must ask in another way. */
export function listOptions(query: URLSearchParams): ListOptions {
  const options = read(listFields, query);
  const { resourceVersion, resourceVersionMatch: match } = options;
  if (query.has('sendInitialEvents')) throw notSo('sendInitialEvents is forbidden for list');
  if (match !== undefined && resourceVersion === '')
    throw notSo('resourceVersionMatch is forbidden unless resourceVersion is provided');
  if (match !== undefined && options.continue !== '')
    throw notSo('resourceVersionMatch is forbidden with continue');
  if (match === 'Exact' && resourceVersion === '0')
    throw notSo('resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
  return options;
}

const watchFields = {
  ...listFields,
  allowWatchBookmarks: s.bool().default(false),
  /** undefined: the server chooses. */
  timeoutSeconds: s.long({ min: 0 }),
  /** First the state as ADDED events, then a bookmark that says so (WatchList). undefined: as the resourceVersion is. */
  sendInitialEvents: s.bool(),
};

export type WatchOptions = s.ObjectOf<typeof watchFields>;

export function watchOptions(query: URLSearchParams): WatchOptions {
  const options = read(watchFields, query);
  const { sendInitialEvents, resourceVersionMatch: match } = options;
  if (sendInitialEvents !== undefined && match !== 'NotOlderThan')
    throw notSo('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  if (sendInitialEvents === undefined && match !== undefined)
    throw notSo('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided');
  return options;
}

/** The sentence begins with the option. */
function notSo(why: string): StatusError {
  const error = field.forbidden(fieldPath(why.split(' ')[0]), why);
  return invalid({ group: 'meta.k8s.io', kind: 'ListOptions', plural: '' }, '', [error]);
}

const dryRun = s.list(s.str({ values: ['All'] }));

const writeFields = {
  dryRun,
  fieldValidation: s.str({ values: ['Strict', 'Warn', 'Ignore'] }).default('Strict'),
  fieldManager: s.str(),
  /** Server-side apply: take fields from other managers. */
  force: s.bool().default(false),
};

export type WriteOptions = ReturnType<typeof writeOptions>;

export function writeOptions({ query, userAgent }: Pick<Call, 'query' | 'userAgent'>) {
  const { dryRun = [], fieldManager, ...rest } = read(writeFields, query);
  return {
    ...rest,
    dryRun: dryRun.length > 0,
    fieldManager: fieldManager || managerFrom(userAgent),
  };
}

const deleteFields = {
  dryRun,
  gracePeriodSeconds: s.long({ min: 0 }),
  propagationPolicy: s.str({ values: ['Background', 'Foreground', 'Orphan'] }),
  orphanDependents: s.bool(),
  preconditions: s.obj({ uid: s.str(), resourceVersion: s.str() }),
};

export type DeleteRequest = Readonly<{ dryRun: boolean; options: DeleteOptions }>;

/** DeleteOptions come in the body or in the query, dryRun too: kubectl sends it in the body. The query wins. */
export function deleteRequest(query: URLSearchParams, body: unknown): DeleteRequest {
  const { dryRun = [], orphanDependents, ...options } = read(deleteFields, query, body);
  const propagationPolicy = options.propagationPolicy ?? (orphanDependents ? 'Orphan' : undefined);
  return { dryRun: dryRun.length > 0, options: { ...options, propagationPolicy } };
}

const logFields = {
  container: s.str().default(''),
  ...s.all(s.bool().default(false), 'follow', 'previous', 'timestamps'),
  tailLines: s.long({ min: 0 }),
  ...s.all(s.long({ min: 1 }), 'sinceSeconds', 'limitBytes'),
  sinceTime: s.time(),
  stream: s.str({ values: ['All'], lacks: ['Stdout', 'Stderr'] }),
};

export function logOptions(query: URLSearchParams, now: number): PodLogOptions {
  const { sinceSeconds, sinceTime, stream: _, ...rest } = read(logFields, query);
  if (sinceSeconds !== undefined && sinceTime !== undefined)
    throw badRequest('at most one of `sinceTime` or `sinceSeconds` may be specified');
  const sinceMs = sinceTime === undefined ? undefined : Date.parse(sinceTime);
  return { ...rest, sinceMs: sinceSeconds === undefined ? sinceMs : now - sinceSeconds * 1000 };
}

/** Every field by its own rules: the texts of the query as what they stand for, and what else the body has. */
function read<F extends s.Fields>(fields: F, query: URLSearchParams, body: unknown = {}) {
  const asked = Object.entries(fields)
    .map(([name, { shape }]) => [name, valueIn(query, name, shape.kind)])
    .filter(([, value]) => value !== undefined);
  const schema = s.obj(fields);
  const given = { ...(isObject(body) ? body : {}), ...Object.fromEntries(asked) };
  const options = normalize(schema, pruneUnknown(schema, given));
  const [error] = checkShape(schema, options, fieldPath());
  if (error) throw badRequest(`${error.path}: ${error.message}`);
  return fillDefaults(schema, options) as s.ObjectOf<F>;
}

function valueIn(query: URLSearchParams, name: string, kind: string): unknown {
  if (kind === 'boolean') return query.has(name) ? flag(query, name) : undefined;
  const texts = query.getAll(name).filter(Boolean);
  if (kind === 'list') return texts.length > 0 ? texts : undefined;
  return kind === 'integer' ? count(query, name) : texts[0];
}

export function flag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && !['false', '0', 'f', 'F', 'FALSE', 'False'].includes(value);
}

function count(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`${name} must be a number, not "${text}"`);
  return Number(text);
}

export const badRequest = (message: string): StatusError => new StatusError('BadRequest', message);

/** What a client sent where a string was due, to be shown or compared. */
export const asText = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value);

/** "kubectl/v1.33.1 (linux/amd64)" → "kubectl", as Kubernetes names a manager that doesn't name itself. */
const managerFrom = (userAgent: string): string =>
  userAgent.split('/')[0]?.slice(0, 128) || 'unknown';
