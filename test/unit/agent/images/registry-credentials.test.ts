import { describe, expect, it } from 'vitest';
import { matching } from '../../../../agent/images/registry-credentials.ts';

const credential = (registry: string) => ({ registry, username: 'u', password: registry });
const to = (name: string) => {
  const [registry = '', ...path] = name.split('/');
  return { registry, repository: path.join('/') || 'library/web' };
};

describe('credentials', () => {
  it.each([
    ['docker.io', 'https://index.docker.io/v1/', true],
    ['docker.io', 'docker.io', true],
    ['docker.io/team/web', 'index.docker.io/team', true],
    ['registry.example:5000', 'registry.example:5000', true],
    ['registry.example:5000', 'http://REGISTRY.example:5000/v2/', true],
    ['registry.example:5000', 'registry.example', false],
    ['registry.example', 'evil.registry.example', false],
    ['registry.example', 'registry.example.evil', false],
    ['a.registry.example', '*.registry.example', true],
    ['a.registry.example', 'https://a.*.example/v2', true],
    ['a.registry.example:5000', '*.registry.example:5000', true],
    ['a.registry.example:5000', '*.registry.example', false],
    ['a.b.registry.example', '*.registry.example', false],
    ['registry.example', '*.registry.example', false],
    ['registryxexample', 'registry.example', false],
    ['r.example/team/web', 'r.example/team', true],
    ['r.example/team/web', 'r.example/team/', true],
    ['r.example/team/web', 'https://r.example/v2/team/web', true],
    ['r.example/team-b/web', 'r.example/team', false],
    ['r.example/team', 'r.example/team/web', false],
    ['[fd00::1]:5000', '[FD00::1]:5000', true],
  ])('for %s: those named %s: %s', (name, written, matches) => {
    const given = [credential(written)];
    expect(matching(to(name), given)).toEqual(matches ? given : []);
  });

  it('that say more come first, in the order of the Secrets otherwise', () => {
    const given = [
      ...['*.r.example', 'a.r.example', 'https://a.r.example', '*.r.example/team'],
      ...['a.r.example/team', 'a.r.example/team/web'],
    ].map(credential);
    expect(matching(to('a.r.example/team/web'), given).map((c) => c.registry)).toEqual([
      ...['a.r.example/team/web', 'a.r.example/team', '*.r.example/team'],
      ...['a.r.example', 'https://a.r.example', '*.r.example'],
    ]);
  });
});
