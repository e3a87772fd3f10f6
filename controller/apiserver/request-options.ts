import { isObject } from '../../api/normalize.ts';
import { StatusError } from '../../api/status.ts';
import type { DeleteOptions } from '../store/objects.ts';
import type { Call } from './call.ts';

/** What the query (and for deletions the body) asks for. Pure; what can't be read is a 400. */

export interface ListOptions {
  readonly labelSelector: string;
  readonly fieldSelector: string;
  /** 0: no limit. */
  readonly limit: number;
  /** "" for the first page. */
  readonly continueToken: string;
  readonly resourceVersion: string;
  readonly resourceVersionMatch: 'Exact' | 'NotOlderThan' | undefined;
}

export function listOptions(query: URLSearchParams): ListOptions {
  return {
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    limit: count(query, 'limit') ?? 0,
    continueToken: query.get('continue') ?? '',
    resourceVersion: query.get('resourceVersion') ?? '',
    resourceVersionMatch: oneOf(query, 'resourceVersionMatch', ['Exact', 'NotOlderThan']),
  };
}

export interface WatchOptions {
  readonly bookmarks: boolean;
  /** undefined: the server chooses. */
  readonly timeoutSeconds: number | undefined;
  /** First the state as ADDED events, then a bookmark that says so (WatchList). */
  readonly sendInitialEvents: boolean;
}

export function watchOptions(query: URLSearchParams): WatchOptions {
  const sendInitialEvents = flag(query, 'sendInitialEvents');
  if (sendInitialEvents && query.get('resourceVersionMatch') !== 'NotOlderThan')
    throw badRequest('sendInitialEvents needs resourceVersionMatch=NotOlderThan');
  return {
    bookmarks: flag(query, 'allowWatchBookmarks'),
    timeoutSeconds: count(query, 'timeoutSeconds'),
    sendInitialEvents,
  };
}

export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldValidation: FieldValidation;
  readonly fieldManager: string;
  /** Server-side apply: take fields from other managers. */
  readonly force: boolean;
}

type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

export function writeOptions(call: Pick<Call, 'query' | 'userAgent'>): WriteOptions {
  const { query, userAgent } = call;
  return {
    dryRun: dryRunOf(query.getAll('dryRun')),
    fieldValidation: oneOf(query, 'fieldValidation', ['Strict', 'Warn', 'Ignore']) ?? 'Strict',
    fieldManager: query.get('fieldManager') || managerFrom(userAgent),
    force: flag(query, 'force'),
  };
}

export interface DeleteRequest {
  readonly dryRun: boolean;
  readonly options: DeleteOptions;
}

/** DeleteOptions come in the body or in the query, dryRun too: kubectl sends it in the body. The query wins. */
export function deleteRequest(query: URLSearchParams, body: unknown): DeleteRequest {
  const given = isObject(body) ? body : {};
  const gracePeriodSeconds =
    count(query, 'gracePeriodSeconds') ?? wholeNumber(given, 'gracePeriodSeconds');
  const policy = query.get('propagationPolicy') ?? given.propagationPolicy;
  const orphan = query.get('orphanDependents') ?? given.orphanDependents;
  return {
    dryRun: dryRunOf([...query.getAll('dryRun'), ...strings(given.dryRun)]),
    options: {
      gracePeriodSeconds,
      propagationPolicy: policyOf(policy, orphan),
      preconditions: preconditionsOf(given.preconditions),
    },
  };
}

export function flag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && !['false', '0', 'f', 'F', 'FALSE', 'False'].includes(value);
}

export function count(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`${name} must be a number, not "${text}"`);
  return Number(text);
}

export const badRequest = (message: string): StatusError => new StatusError('BadRequest', message);

/** What a client sent where a string was due, to be shown or compared. */
export const asText = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value);

function oneOf<const V extends string>(
  query: URLSearchParams,
  name: string,
  values: readonly V[],
): V | undefined {
  const given = query.get(name);
  if (given === null || given === '') return undefined;
  const value = values.find((v) => v === given);
  if (value === undefined) throw badRequest(`${name} must be one of ${values.join(', ')}`);
  return value;
}

function dryRunOf(values: readonly string[]): boolean {
  const given = values.filter((value) => value !== '');
  const bad = given.find((value) => value !== 'All');
  if (bad !== undefined) throw badRequest(`dryRun must be "All", not "${bad}"`);
  return given.length > 0;
}

/** "kubectl/v1.33.1 (linux/amd64)" → "kubectl", as Kubernetes names a manager that doesn't name itself. */
const managerFrom = (userAgent: string): string =>
  userAgent.split('/')[0]?.slice(0, 128) || 'unknown';

function policyOf(policy: unknown, orphan: unknown): DeleteOptions['propagationPolicy'] {
  if (policy === undefined || policy === null || policy === '')
    return orphan === true || orphan === 'true' ? 'Orphan' : undefined;
  if (policy === 'Background' || policy === 'Foreground' || policy === 'Orphan') return policy;
  throw badRequest('propagationPolicy must be one of Background, Foreground, Orphan');
}

function preconditionsOf(value: unknown): DeleteOptions['preconditions'] {
  if (!isObject(value)) return undefined;
  const { uid, resourceVersion } = value;
  const text = (part: unknown) => (typeof part === 'string' ? part : undefined);
  return { uid: text(uid), resourceVersion: text(resourceVersion) };
}

function wholeNumber(record: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const value = record[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw badRequest(`${name} must be a number that is not negative`);
  return value;
}

const strings = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.map(asText) : [];
