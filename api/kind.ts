import type { Column } from './columns.ts';
import type { FieldErrors, FieldPath } from './field-error.ts';
import type { JsonSchema } from './json-schema.ts';
import { checkDnsSubdomain } from './names.ts';
import { objectMetaFields, type StoredMeta } from './object-meta.ts';
import { type Fields, type ObjectOf, obj, type Schema, str } from './schema.ts';

/**
 * Everything that is particular to a kind. Routes, discovery, tables, patches, validation, informers and the command
 * line's knowledge derive from it: a new kind is a new file and a row in kinds.ts.
 */
export interface Kind<F extends Fields = Fields> {
  /** "" is the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** Lower-case plural: the path segment. */
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  /** apiVersion, kind, metadata and the kind's own fields. */
  readonly schema: Schema;
  readonly subresources: readonly Subresource[];
  /** What discovery says can be done with it. */
  readonly verbs: readonly string[];
  /** What may a name look like? "must …" or undefined. */
  readonly checkName: (name: string) => string | undefined;
  /** Defaults that depend on other fields; runs after the schema's own. Pure. */
  applyDefaults(object: KubeObject<F>): KubeObject<F>;
  /** What the schema can't say: cross-field rules. The object is well-shaped and defaulted. Pure. */
  validate(object: KubeObject<F>, at: FieldPath): FieldErrors;
  /** What only an update may bring. */
  validateNew(object: KubeObject<F>, at: FieldPath): FieldErrors;
  /** Immutability and the like. */
  validateUpdate(next: KubeObject<F>, previous: KubeObject<F>, at: FieldPath): FieldErrors;
  /** What an update keeps when it doesn't mention it: a Service's cluster IP. Pure. */
  inherit(next: KubeObject<F>, previous: KubeObject<F>): KubeObject<F>;
  /**
   * What only one object may hold at a time: a Service's cluster IP. Kept as keys of their own, taken and given back in
   * the same transaction as the object.
   */
  claims(object: KubeObject<F>): readonly Claim[];
  readonly columns: readonly Column<KubeObject<F>>[];
  /** Fields that field selectors may name, beside metadata.name and metadata.namespace. */
  readonly selectableFields: Readonly<Record<string, SelectableField<KubeObject<F>>>>;
  /** Where a status is there it has its own writer: a write to the main resource leaves it, and the other way round. */
  readonly hasStatus: boolean;
  /** metadata.generation counts changes of what is wanted. */
  readonly hasGeneration: boolean;
  /** Where the scale subresource finds its numbers, in simple paths. */
  readonly scale: ScalePaths;
  /** By the CustomResourceDefinition with this uid; undefined: built in. */
  readonly defined?: Readonly<{ uid: string; schema: JsonSchema }> | undefined;
}

interface ScalePaths {
  /** ".spec.replicas" */
  readonly specReplicasPath: string;
  readonly statusReplicasPath: string;
  /** Of a selector's text. undefined: it is a LabelSelector in the spec, or there is none. */
  readonly labelSelectorPath?: string | undefined;
}

/** An object of a kind, valid, defaulted and stored. */
export type KubeObject<F extends Fields = Fields> = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: StoredMeta;
} & ObjectOf<F>;

/** A valid, defaulted one whose metadata the store has yet to complete. */
export type NewObject<F extends Fields> = Omit<KubeObject<F>, 'metadata'> & {
  readonly metadata: Partial<StoredMeta>;
};

/** The fields of a kind, from the kind itself: NewObject<FieldsOf<typeof Pod>>. */
export type FieldsOf<K> = K extends Kind<infer F> ? F : never;

/** An object of some kind: what generic code sees. */
export interface AnyObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: StoredMeta;
  readonly spec?: unknown;
  readonly status?: unknown;
}

export type Subresource =
  | 'status'
  | 'scale'
  | 'log'
  | 'exec'
  | 'attach'
  | 'portforward'
  | 'proxy'
  | 'binding'
  | 'ephemeralcontainers'
  | 'eviction'
  | 'token';

/** What a field selector compares with. A method's type: a kind of certain fields is a kind, too. */
type SelectableField<T> = { of(object: T): string | undefined }['of'];

export interface Claim {
  /** What is claimed, as a key: "service-ip/10.96.0.7". */
  readonly key: string;
  /** The field that asks for it: named when it is taken already. */
  readonly path: string;
}

/** What a kind must say of itself, and what it says only where it isn't as most are. */
type KindDeclaration<F extends Fields> = Pick<Kind<F>, 'kind' | 'columns'> &
  Partial<Omit<Kind<F>, 'schema'>> & {
    readonly fields: F;
    /** What fields beside these are. */
    readonly others?: Schema | undefined;
    readonly about: string;
  };

/** What they are in every kind. */
const usualFields: ReadonlyMap<string, string> = new Map([
  ['apiVersion', 'Group and version of the kind.'],
  ['kind', 'What it is.'],
  ['metadata', 'Its name, its labels, and what the API server keeps of it.'],
  ['spec', 'What is wanted.'],
  ['status', 'How it is; written by orc.'],
]);

export function kind<F extends Fields>(declaration: KindDeclaration<F>): Kind<F> {
  const { fields, others, about, ...rest } = declaration;
  const common = { apiVersion: str(), kind: str(), metadata: obj(objectMetaFields) };
  const told = Object.entries({ ...common, ...fields }).map(([name, schema]) => [
    name,
    { about: usualFields.get(name), ...schema },
  ]);
  const schema: Schema = obj(Object.fromEntries(told), others).doc(about);
  return {
    group: '',
    version: 'v1',
    singular: declaration.kind.toLowerCase(),
    plural: `${declaration.kind.toLowerCase()}s`,
    shortNames: [],
    categories: [],
    namespaced: true,
    subresources: [],
    checkName: checkDnsSubdomain,
    verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
    applyDefaults: (object) => object,
    validate: () => [],
    validateNew: () => [],
    validateUpdate: () => [],
    inherit: (next) => next,
    claims: () => [],
    selectableFields: {},
    hasStatus: 'status' in fields,
    hasGeneration: 'spec' in fields,
    scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
    ...rest,
    schema,
  };
}

/** "apps/v1", or "v1" for the core group. */
export const apiVersionOf = ({ group, version }: Pick<Kind, 'group' | 'version'>): string =>
  group === '' ? version : `${group}/${version}`;
