import { createdAtColumn } from './columns.ts';
import { conditionFields, conditionOf } from './condition.ts';
import type { FieldErrors, FieldPath } from './field-error.ts';
import * as field from './field-error.ts';
import { checkSimpleJsonPath, parseFieldPath } from './json-path.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { checkDns1035Label, checkDnsSubdomain } from './names.ts';
import * as s from './schema.ts';
import { checkStructural } from './structural-schema.ts';

const label = s.str({ check: checkDns1035Label });
const mixedLabel = s.str({ check: (text) => checkDns1035Label(text.toLowerCase()) });

const namesFields = {
  plural: label.doc('In paths; with the group it names the definition.').required(),
  singular: label.doc('Default: the kind in lower case.').derived(),
  kind: mixedLabel.doc('As in the field kind.').required(),
  listKind: mixedLabel.doc('Default: the kind with List behind it; orc has no others.').derived(),
  shortNames: s.list(label).doc('What kubectl takes for it, too.'),
  categories: s.list(label).doc('Groups of kinds that kubectl knows: all.'),
};

const fieldPath = s.str({
  check: (path) => (parseFieldPath(path) ? undefined : 'must be a path such as .spec.replicas'),
});
const jsonPath = s.str({ check: checkSimpleJsonPath });

const columnFields = {
  name: s.str().required(),
  type: s.str({ values: ['integer', 'number', 'string', 'boolean', 'date'] }).required(),
  format: s.str().doc('Shown by no client.'),
  description: s.str(),
  priority: s.int({ min: 0 }).doc('Above 0: only with -o wide.'),
  jsonPath: jsonPath.doc('Where the cell is found: .spec.replicas').required(),
};

const versionFields = {
  name: label.required(),
  served: s.bool().required(),
  storage: s.bool().required(),
  schema: s.obj({ openAPIV3Schema: s.json().doc('A structural schema.').required() }).required(),
  subresources: s.obj({
    status: s.obj({}).doc('The status is written by itself, at the path status.'),
    scale: s.obj({
      specReplicasPath: fieldPath.doc('How many shall be: .spec.replicas').required(),
      statusReplicasPath: fieldPath.doc('How many there are: .status.replicas').required(),
      labelSelectorPath: fieldPath.doc('The text of the selector that finds them.'),
    }),
  }),
  additionalPrinterColumns: s.list(s.obj(columnFields)).doc('Default: the age.'),
  deprecated: s.unsupported(false),
  ...s.unsupportedFields('deprecationWarning selectableFields'),
};

const fields = {
  spec: s
    .obj({
      group: s.str({ check: checkDnsSubdomain }).doc('A domain of whoever defines it.').required(),
      names: s.obj(namesFields).required(),
      scope: s.str({ values: ['Namespaced', 'Cluster'] }).required(),
      versions: s.list(s.obj(versionFields)).doc('One, served and stored.').required(),
      conversion: s
        .obj({
          strategy: s.str({ values: ['None'], lacks: ['Webhook'] }).required(),
          webhook: s.unsupported(),
        })
        .default({ strategy: 'None' }),
      preserveUnknownFields: s.unsupported(false),
    })
    .required(),
  status: s
    .obj({
      conditions: s.listMap(s.obj(conditionFields), 'type'),
      acceptedNames: s.obj(namesFields).doc('The names in use.'),
      storedVersions: s.list(s.str()).doc('Versions that objects may be stored in.'),
    })
    .default({}),
};

export type CustomResourceDefinition = KubeObject<typeof fields>;

export const CustomResourceDefinition: Kind<typeof fields> = kind({
  group: 'apiextensions.k8s.io',
  kind: 'CustomResourceDefinition',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  namespaced: false,
  about: 'Makes a kind of its own: its names, its fields, its columns.',
  subresources: ['status'],
  fields,
  applyDefaults: ({ spec, ...rest }) => {
    const { kind } = spec.names;
    const names = { ...spec.names, singular: spec.names.singular ?? kind.toLowerCase() };
    return {
      ...rest,
      spec: { ...spec, names: { ...names, listKind: names.listKind ?? `${kind}List` } },
    };
  },
  validate: (definition, at) => checkDefinition(definition, at('spec')),
  validateUpdate: ({ spec }, previous, at) => {
    const isKept = (place: FieldPath, now: string, before: string) =>
      isEstablished(previous) && now !== before && field.invalid(place, now, 'field is immutable');
    const { storedVersions = [] } = previous.status;
    const isLost = (name: string) => spec.versions.every((version) => version.name !== name);
    return field.errorsOf(
      isKept(at('spec')('scope'), spec.scope, previous.spec.scope),
      isKept(at('spec')('names')('kind'), spec.names.kind, previous.spec.names.kind),
      field.errorsOfEach(
        storedVersions,
        at('status')('storedVersions'),
        (name, place) => isLost(name) && field.invalid(place, name, stillStored(name)),
      ),
    );
  },
  columns: [{ ...createdAtColumn, type: 'date' }],
});

export const isEstablished = (definition: CustomResourceDefinition): boolean =>
  conditionOf(definition, 'Established')?.status === 'True';

const stillStored = (name: string) =>
  `missing from spec.versions; ${name} was previously a storage version, and objects may be stored in it`;

const approval = 'api-approved.kubernetes.io';
const isProtected = (group: string) => /(^|\.)(k8s|kubernetes)\.io$/.test(group);

function checkDefinition({ metadata, spec }: CustomResourceDefinition, at: FieldPath): FieldErrors {
  const { group, names, versions } = spec;
  const path = at('versions');
  return field.errorsOf(
    metadata.name !== `${names.plural}.${group}` &&
      field.invalid(field.fieldPath('metadata.name'), metadata.name, nameRule),
    !group.includes('.') &&
      field.invalid(at('group'), group, 'should be a domain with at least one dot'),
    isProtected(group) &&
      !metadata.annotations?.[approval] &&
      field.required(field.fieldPath('metadata.annotations')(approval), 'for protected groups'),
    names.listKind !== `${names.kind}List` &&
      field.unsupported(at('names')('listKind'), names.listKind),
    versions.length === 0 && field.required(path),
    versions.length > 1 && field.unsupported(path(1)),
    field.errorsOfEach(versions.slice(0, 1), path, checkVersion),
  );
}

const nameRule = 'must be spec.names.plural+"."+spec.group';

type Version = CustomResourceDefinition['spec']['versions'][number];

function checkVersion({ served, storage, schema }: Version, at: FieldPath): FieldErrors {
  return field.errorsOf(
    !served && field.unsupported(at('served'), false),
    !storage && field.invalid(at('storage'), false, 'one version must be the storage version'),
    checkStructural(schema.openAPIV3Schema, at('schema')('openAPIV3Schema')),
  );
}
