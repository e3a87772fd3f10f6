import { Readable } from 'node:stream';
import { CustomResourceDefinition } from '../api/custom-resource-definition.ts';
import { kindOf } from '../api/defined-kind.ts';
import { type AnyObject, apiVersionOf, type Kind } from '../api/kind.ts';
import { Namespace } from '../api/namespace.ts';
import { isObject } from '../api/normalize.ts';
import type { Pod } from '../api/pod.ts';
import { parseObject } from '../api/prepare.ts';
import { RuntimeClass } from '../api/runtime-class.ts';
import { hasReason, invalid, StatusError } from '../api/status.ts';
import { didYouMean } from '../base/closest.ts';
import type { Reply } from './client.ts';
import { kindWhere } from './kind-lookup.ts';
import type { Finding, Manifest, ManifestObject } from './manifest.ts';
import { type Api, ifFound, type ObjectRef, objectPath } from './resources.ts';

/** An object that says what it is. */
export interface NamedObject {
  readonly ref: ObjectRef;
  readonly body: Readonly<Record<string, unknown>>;
  readonly written: ManifestObject;
}

/** An object that the server would take. */
export interface CheckedObject extends NamedObject {
  /** What the server answered; undefined where what it stands on is yet to be made. */
  readonly dryRun: Reply<AnyObject> | undefined;
}

interface ManifestOptions {
  /** Of objects that name none. */
  readonly namespace: string;
  readonly force: boolean;
  /** Given to all of them. */
  readonly labels: Readonly<Record<string, string>>;
}

const checksAtOnce = 4;

/**
 * Asks the server about every object before anything is changed, and gathers all that is wrong.
 */
export async function checkManifest(
  api: Api,
  manifest: Manifest,
  { namespace, force, labels }: ManifestOptions,
) {
  const { named: asWritten, findings } = await nameObjects(api, manifest, namespace);
  const named = asWritten.map((one) => ({ ...one, body: withLabels(one.body, labels) }));
  /** What others stand on, among these objects: "Namespace shop". */
  const grounds = new Set(named.filter(isGround).map(({ ref }) => subjectOf(ref)));
  const check = async (one: NamedObject): Promise<readonly CheckedObject[]> => {
    const { ref, body } = one;
    try {
      return [{ ...one, dryRun: await api.apply(ref, { body, force, dryRun: true }) }];
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      const refusal = refusalOf(one, error);
      // The server looks for these last: everything else about the object is right.
      if (refusal === undefined || grounds.has(missingGround(refusal, one)))
        return [{ ...one, dryRun: undefined }];
      findings.push(...findingsOf(refusal, one));
      return [];
    }
  };
  const checks = Readable.from(named).flatMap(check, { concurrency: checksAtOnce });
  const checked: readonly CheckedObject[] = await checks.toArray();
  return { checked, findings: inOrder(findings) };
}

function withLabels(body: NamedObject['body'], added: ManifestOptions['labels']) {
  const { metadata } = body;
  const { labels = {} } = isObject(metadata) ? metadata : {};
  // What is no object is the server's to refuse.
  if (Object.keys(added).length === 0 || !isObject(metadata) || !isObject(labels)) return body;
  return { ...body, metadata: { ...metadata, labels: { ...labels, ...added } } };
}

/** What says the definition among the files, which the server doesn't have yet, or not so? */
function refusalOf({ ref, body }: NamedObject, error: StatusError): StatusError | undefined {
  const { kind, namespace, name } = ref;
  const isOfKind = hasReason(error, 'NotFound', 'Invalid', 'BadRequest');
  if (!kind.defined || !isOfKind || isMissingNamespace(error)) return error;
  const parsed = parseObject(kind, body, { namespace });
  return 'errors' in parsed ? invalid(kind, name, parsed.errors) : undefined;
}

/** The object as it is, if it is there, and as an apply would leave it. */
export async function changeOf(api: Api, { ref, body, dryRun }: CheckedObject) {
  const before = dryRun?.code === 201 ? undefined : await ifFound(api.get(ref));
  const metadata = { ...before?.metadata, ...(isObject(body.metadata) && body.metadata) };
  return { before, after: dryRun?.body ?? ({ ...before, ...body, metadata } as AnyObject) };
}

/** As the files are read; the sort is stable, so the files stay in their order. */
function inOrder(findings: readonly Finding[]): readonly Finding[] {
  const files = [...new Set(findings.map(({ file }) => file))];
  return findings.toSorted(
    (a, b) =>
      files.indexOf(a.file) - files.indexOf(b.file) ||
      a.position.line - b.position.line ||
      a.position.column - b.position.column,
  );
}

/** What each object is and where it belongs. The same object twice is a mistake. */
export async function nameObjects(api: Api, { objects, findings }: Manifest, namespace: string) {
  const defined = objects.flatMap(definedBy);
  const wrong = [...findings];
  const named = new Map<string, NamedObject>();
  for (const written of objects) {
    const result = await nameObject({ api, namespace, defined }, written);
    if (!('ref' in result)) {
      wrong.push(result);
      continue;
    }
    const path = objectPath(result.ref);
    const first = named.get(path);
    if (first === undefined) named.set(path, result);
    else wrong.push(findingAt(written, { subject: subjectOf(result.ref), message: twice(first) }));
  }
  return { named: [...named.values()], findings: wrong };
}

function twice({ written }: NamedObject): string {
  const { line } = written.positionOf('metadata.name');
  return `is described twice: first in ${written.file}:${line}`;
}

/** The kind that it makes when it is there. What is wrong with it is the server's to say. */
function definedBy({ body }: ManifestObject): readonly Kind[] {
  if (body.kind !== CustomResourceDefinition.kind) return [];
  const parsed = parseObject(CustomResourceDefinition, body);
  return 'errors' in parsed ? [] : [kindOf(parsed.object as CustomResourceDefinition)];
}

/** `defined`: by the files themselves. */
type Place = Readonly<{ api: Api; namespace: string; defined: readonly Kind[] }>;

async function nameObject(place: Place, written: ManifestObject): Promise<NamedObject | Finding> {
  const { body } = written;
  const wrong = (path: string, what: string, subject = '') =>
    findingAt(written, { subject, path, message: `${path}: ${what}` });
  const { apiVersion, kind: kindName } = body;
  if (!isName(apiVersion)) return wrong('apiVersion', noName(apiVersion));
  if (!isName(kindName)) return wrong('kind', noName(kindName));
  const isIts = (one: Kind) => one.kind === kindName && apiVersionOf(one) === apiVersion;
  const kind = place.defined.find(isIts) ?? (await kindWhere(place.api, isIts));
  if (kind === undefined)
    return wrong(...unknownKind(await place.api.kinds(), apiVersion, kindName));
  const { name, namespace: own } = isObject(body.metadata) ? body.metadata : {};
  if (!isName(name)) return wrong('metadata.name', noName(name), kindName);
  const namespace = isName(own) ? own : place.namespace;
  return { written, body, ref: { kind, name, namespace: kind.namespaced ? namespace : '' } };
}

const isName = (value: unknown): value is string => typeof value === 'string' && value !== '';

const noName = (value: unknown) =>
  value === undefined || value === ''
    ? 'is missing'
    : `must be a string, not ${JSON.stringify(value)}`;

type Wrong = readonly [path: string, what: string];

function unknownKind(kinds: readonly Kind[], apiVersion: string, kindName: string): Wrong {
  const sameName = kinds.find(({ kind }) => kind === kindName);
  if (sameName !== undefined) {
    const right = apiVersionOf(sameName);
    return ['apiVersion', `there is no ${kindName} in "${apiVersion}"; use "${right}"`];
  }
  const names = kinds.map(({ kind }) => kind);
  const hint = didYouMean(kindName, names, 'orc api-resources lists the kinds');
  return ['kind', `orc does not serve "${kindName}" (${apiVersion}); ${hint}`];
}

const isMissingNamespace = ({ reason, details }: StatusError) =>
  reason === 'NotFound' && details.kind === Namespace.plural;

function missingGround(error: StatusError, { ref, body }: NamedObject): string {
  if (isMissingNamespace(error)) return `${Namespace.kind} ${ref.namespace}`;
  const [{ field } = {}] = error.details.causes ?? [];
  if (error.reason !== 'Forbidden' || field !== 'spec.runtimeClassName') return '';
  return `${RuntimeClass.kind} ${(body as Partial<Pod>).spec?.runtimeClassName}`;
}

/** One for each field that the server names, or one for the whole object. Pure. */
export function findingsOf(error: StatusError, { ref, written }: NamedObject): readonly Finding[] {
  const subject = subjectOf(ref);
  if (isMissingNamespace(error)) {
    const path = 'metadata.namespace';
    const message = `${path}: there is no namespace "${ref.namespace}"; add it to the files or create it first`;
    return [findingAt(written, { subject, path, message })];
  }
  const causes = (error.details.causes ?? []).filter(({ field }) => field);
  const advice = error.reason === 'Conflict' ? ' (--force-conflicts takes the field over)' : '';
  if (causes.length === 0)
    return [findingAt(written, { subject, message: error.message + advice })];
  return causes.map(({ field = '', message = '', reason }) =>
    findingAt(written, {
      subject,
      ...{ path: field.replace(/^\./, ''), atKey: reason === 'FieldUnknown' },
      message: `${field}: ${inWords(message)}${advice}`,
    }),
  );
}

/** 'Invalid value: "512m": is 0.512 bytes' → '"512m" is 0.512 bytes'. */
const inWords = (message: string) =>
  message.replace(/^Invalid value: ("(?:[^"\\]|\\.)*"|[^\s:]+): (?=is |must |may )/, '$1 ');

function findingAt(
  { file, positionOf }: ManifestObject,
  at: { subject?: string; path?: string; atKey?: boolean; message: string },
): Finding {
  const { subject = '', path = '', atKey = false, message } = at;
  return { file, position: positionOf(path, { atKey }), subject, message };
}

const subjectOf = ({ kind, namespace, name }: ObjectRef): string =>
  `${kind.kind} ${namespace === '' ? '' : `${namespace}/`}${name}`;

/** What others stand on before them; otherwise as written. Pure. */
export const groundsFirst = <T extends Pick<NamedObject, 'ref'>>(objects: readonly T[]) =>
  objects.toSorted((a, b) => Number(isGround(b)) - Number(isGround(a)));

const groundKinds: readonly Kind[] = [Namespace, RuntimeClass, CustomResourceDefinition];

const isGround = ({ ref }: Pick<NamedObject, 'ref'>) => groundKinds.includes(ref.kind);
