import { expect, it } from 'vitest';
import { findImage } from '../../../../agent/images/image-desk.ts';
import type { ImageRecord } from '../../../../agent/images/image-index.ts';
import { webImage } from '../../../support/a-pod.ts';

const record = (hex: string, ...names: readonly string[]): ImageRecord => ({
  ...webImage,
  id: `sha256:${hex.padEnd(64, '0')}`,
  diffIds: [],
  references: names.map((canonical) => ({ written: canonical, canonical })),
});
const web = record('abcd1', 'docker.io/library/web:1', 'reg:5000/web:1');
const job = record('abcd2', 'docker.io/library/abcd3:latest');
const records = [web, job];

it.each([
  ['web:1', web, 'docker.io/library/web:1'],
  ['reg:5000/web:1', web, 'reg:5000/web:1'],
  ['abcd1', web, undefined],
  [`sha256:${'abcd2'.padEnd(64, '0')}`, job, undefined],
  ['abcd3', job, 'docker.io/library/abcd3:latest'],
])('%s is an image by its name or its id', (text, found, name) => {
  const { record, name: by } = findImage(records, text);
  expect([record, by?.canonical]).toEqual([found, name]);
});

it.each([
  ['web', 'no image on this node is called web; orc image ls shows what there is'],
  ['abcd', "several images' ids begin with abcd"],
  ['abc', 'no image on this node is called abc; orc image ls shows what there is'],
  ['', '"" is not an image name: it is empty'],
])('%j is none', (text, words) => {
  expect(() => findImage(records, text)).toThrow(words);
});
