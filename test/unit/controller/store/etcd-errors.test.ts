import { expect, it } from 'vitest';
import { tellsOfElection } from '../../../../controller/store/etcd-errors.ts';

const grpc = (details: string) =>
  Object.assign(new Error(`14 UNAVAILABLE: ${details}`), { code: 14 });

it.each([
  [true, 'etcdserver: leader changed'],
  [true, 'etcdserver: request timed out, possibly due to previous leader failure'],
  [false, 'etcdserver: no leader'],
  [false, 'etcdserver: request timed out'],
  [false, 'No connection established'],
  [false, 'Connection dropped'],
])('says %s of whether "%s" comes from a member that is well', (expected, details) => {
  expect(tellsOfElection(grpc(details))).toBe(expected);
});
