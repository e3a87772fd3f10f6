import { describe, expect, it } from 'vitest';
import { formatJoinToken, nodeOfUser, nodeUser, parseJoinToken } from '../../../api/join.ts';

const token = { id: '0123456789ab', secret: 'A'.repeat(43), caHash: 'f'.repeat(64) };

describe('a join token', () => {
  const text = formatJoinToken(token);
  const check = (what: string, given: string, expected: object | undefined) =>
    it(what, () => {
      expect(parseJoinToken(given)).toEqual(expected);
    });
  check('is read as it was written', text, token);
  check('may have been copied with its line end', `${text}\n`, token);
  check('is not whole without its end', text.slice(0, -1), undefined);
  check('is not whole without its beginning', text.slice(1), undefined);
  check('is not empty', '', undefined);
});

describe('a node’s user', () => {
  it('names the node, and no other user does', () => {
    expect(nodeOfUser(nodeUser('host1'))).toBe('host1');
    expect(nodeOfUser('admin')).toBeUndefined();
  });
});
