import { expect, it } from 'vitest';
import { formatOf } from '../../../../controller/apiserver/media-type.ts';

const format = (accept: string, query = '') => formatOf(accept, new URLSearchParams(query));

it.each([
  ['', { as: 'object' }],
  ['*/*', { as: 'object' }],
  ['application/vnd.kubernetes.protobuf,application/json', { as: 'object' }],
  [
    'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json',
    { as: 'table', includeObject: 'Metadata' },
  ],
  ['application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json', { as: 'object' }],
  ['application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1', { as: 'metadata' }],
])('answers Accept: %s', (accept, expected) => {
  expect(format(accept)).toEqual(expected);
});

it('puts into a table as much of the objects as asked', () => {
  const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  expect(format(table, 'includeObject=Object')).toEqual({ as: 'table', includeObject: 'Object' });
  expect(format(table, 'includeObject=None')).toEqual({ as: 'table', includeObject: 'None' });
});

it('says what it has when it has nothing of that', () => {
  expect(() => format('application/vnd.kubernetes.protobuf')).toThrow(/application\/json/);
});
