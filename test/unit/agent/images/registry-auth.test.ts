import { describe, expect, it } from 'vitest';
import { parseChallenges, tokenUrl } from '../../../../agent/images/registry-auth.ts';

describe('a WWW-Authenticate header', () => {
  it.each([
    ['', []],
    ['Basic', [{ scheme: 'basic', parameters: {} }]],
    ['Basic realm="a registry"', [{ scheme: 'basic', parameters: { realm: 'a registry' } }]],
    [
      'Bearer realm="https://auth.example/token",service="registry",scope="repository:a/b:pull,push"',
      [
        {
          scheme: 'bearer',
          parameters: {
            realm: 'https://auth.example/token',
            service: 'registry',
            scope: 'repository:a/b:pull,push',
          },
        },
      ],
    ],
    [
      'Negotiate, Basic realm=plain , BEARER Realm="x\\"y" , service = z',
      [
        { scheme: 'negotiate', parameters: {} },
        { scheme: 'basic', parameters: { realm: 'plain' } },
        { scheme: 'bearer', parameters: { realm: 'x"y', service: 'z' } },
      ],
    ],
    ['Bearer realm="never closed', [{ scheme: 'bearer', parameters: {} }]],
    ['Bearer __proto__="x"', [{ scheme: 'bearer', parameters: { ['__proto__']: 'x' } }]],
  ])('%j has its challenges read', (header, challenges) => {
    const plain = parseChallenges(header).map((c) => ({ ...c, parameters: { ...c.parameters } }));
    expect(plain).toEqual(challenges);
  });
});

describe('the place to ask for a token', () => {
  it('gets the service and the scope that the registry wants, or else a scope for pulling', () => {
    const [asked] = parseChallenges('Bearer realm="https://a.example/t?x=1",service="s",scope="q"');
    const [bare] = parseChallenges('Bearer realm="https://a.example/t"');
    expect(tokenUrl(asked!, 'team/web')?.href).toBe('https://a.example/t?x=1&service=s&scope=q');
    expect(tokenUrl(bare!, 'team/web')?.searchParams.get('scope')).toBe('repository:team/web:pull');
    expect(tokenUrl({ scheme: 'bearer', parameters: { realm: 'nowhere' } }, 'x')).toBeUndefined();
  });
});
