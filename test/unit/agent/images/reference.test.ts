import { describe, expect, it } from 'vitest';
import { formatReference, parseReference } from '../../../../agent/images/reference.ts';

const hex = 'a'.repeat(64);

describe('an image name', () => {
  it.each([
    ['nginx', 'docker.io/library/nginx:latest'],
    ['nginx:1.25', 'docker.io/library/nginx:1.25'],
    ['team/web', 'docker.io/team/web:latest'],
    ['docker.io/nginx', 'docker.io/library/nginx:latest'],
    ['index.docker.io/team/web:2', 'docker.io/team/web:2'],
    ['localhost/web', 'localhost/web:latest'],
    ['localhost:5000/web', 'localhost:5000/web:latest'],
    ['registry.example.com/a/b/c:v1', 'registry.example.com/a/b/c:v1'],
    ['REGISTRY.Example.com:5000/web:v1', 'registry.example.com:5000/web:v1'],
    ['[fd00::1]:5000/web', '[fd00::1]:5000/web:latest'],
    ['quay.io/a__b/c-d.e--f', 'quay.io/a__b/c-d.e--f:latest'],
    [`nginx@sha256:${hex}`, `docker.io/library/nginx@sha256:${hex}`],
    [`nginx:1.25@sha256:${hex}`, `docker.io/library/nginx@sha256:${hex}`],
  ])('%s is %s', (written, complete) => {
    expect(formatReference(parseReference(written))).toBe(complete);
    expect(formatReference(parseReference(complete))).toBe(complete);
  });

  it.each([
    ['', 'empty'],
    ['Nginx', 'lower case'],
    ['team//web', 'empty'],
    ['quay.io/', 'empty'],
    ['nginx:', 'not a tag'],
    ['nginx:a b', 'not a tag'],
    [`nginx:${'t'.repeat(129)}`, 'not a tag'],
    ['a..b/c', 'address'],
    ['../etc', 'address'],
    ['x/../../etc', 'not a repository'],
    [`registry.example.com/${'a'.repeat(256)}`, 'longer than'],
    [`nginx@sha256:${hex.slice(1)}`, 'not a digest'],
    [`nginx@sha256:${hex.toUpperCase()}`, 'not a digest'],
    ['nginx@sha256:../../x', 'not a digest'],
    [`nginx@md5:${hex}`, 'not a digest'],
    [`nginx@sha256:${hex}@sha256:${hex}`, 'more than one'],
    ['nginx\n', 'not a repository'],
    ['host.example:port/web', 'address'],
  ])('%j is refused: %s', (written, why) => {
    expect(() => parseReference(written)).toThrow(why);
    expect(() => parseReference(written)).toThrow(
      expect.objectContaining({ reason: 'InvalidImageName' }),
    );
  });
});
