import { invalidBecause } from './check-metadata.ts';
import {
  duplicateField,
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidField,
} from './field-error.ts';
import { checkRelativePath } from './names.ts';
import { quantityOf } from './quantity.ts';
import type { KeyToPath, Volume } from './volume.ts';

export function validateVolume(volume: Volume, at: FieldPath): readonly FieldError[] {
  const [, ...more] = Object.keys(volume).filter((field) => field !== 'name');
  const items = [
    ['configMap', volume.configMap?.items ?? []],
    ['secret', volume.secret?.items ?? []],
  ] as const;
  return [
    ...more.map((field) => forbiddenField(at(field), 'may not specify more than 1 volume type')),
    ...items.flatMap(([field, list]) => validateItems(list, at(field)('items'))),
    ...validateSizeLimit(volume.emptyDir?.sizeLimit, at('emptyDir')('sizeLimit')),
  ];
}

function validateItems(items: readonly KeyToPath[], at: FieldPath): readonly FieldError[] {
  const paths = items.map(({ path }) => path);
  return paths.flatMap((path, index) => [
    ...invalidBecause(at(index)('path'), path, checkRelativePath(path)),
    ...(paths.indexOf(path) < index ? [duplicateField(at(index)('path'), path)] : []),
  ]);
}

function validateSizeLimit(limit: string | undefined, at: FieldPath): readonly FieldError[] {
  return limit === undefined || quantityOf(limit).nano >= 0n
    ? []
    : [invalidField(at, limit, 'must be greater than or equal to 0')];
}
