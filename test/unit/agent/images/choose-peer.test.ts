import { expect, it } from 'vitest';
import type { BlobState } from '../../../../agent/images/peer-client.ts';
import { choosePeer } from '../../../../agent/images/peers.ts';

const answers = (text: string) =>
  text
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => {
      const [name = '', state] = word.split(':');
      return { peer: { name, address: name }, state: state as BlobState };
    });

it.each([
  ['', undefined],
  ['a:fetching z:whole', 'z'],
  ['z:fetching a:asking', 'z'],
  ['c:asking b:asking z:asking', 'b'],
  ['z:asking', undefined],
])('of %j node n asks %s', (given, name) => {
  expect(choosePeer('n', answers(given))?.peer.name).toBe(name);
});

it('never leads in a circle: of nodes that are all only asking, one waits for nobody', () => {
  const names = ['c', 'a', 'd', 'b'];
  const chosen = names.map((self) => {
    const others = names.filter((name) => name !== self);
    return choosePeer(self, answers(others.map((name) => `${name}:asking`).join(' ')))?.peer.name;
  });
  expect(chosen).toEqual(['a', undefined, 'a', 'a']);
});
