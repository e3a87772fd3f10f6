import { describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../../api/config-map.ts';
import { planGarbage } from '../../../../controller/controllers/garbage-plan.ts';
import { anObject } from '../../../support/an-object.ts';

const owner = (name: string, blockOwnerDeletion = false) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  name,
  uid: `uid of ${name}`,
  blockOwnerDeletion,
});
const object = (name: string, stored: object = {}) =>
  anObject(ConfigMap, { metadata: { name } }, { ...stored });
const going = (...finalizers: string[]) => ({
  deletionTimestamp: '2026-01-01T00:00:00Z',
  finalizers,
});
const plan = (
  subject: ConfigMap,
  {
    owners = [],
    dependents = [],
  }: { owners?: readonly ConfigMap[]; dependents?: readonly ConfigMap[] } = {},
) =>
  planGarbage({
    object: subject,
    ownerOf: ({ kind, uid }) =>
      kind === 'ConfigMap' ? owners.find(({ metadata }) => metadata.uid === uid) : 'unknown',
    dependents,
  });

describe('a dependent', () => {
  const dependent = object('d', { ownerReferences: [owner('a'), owner('b')] });
  const foreground = object('a', going('foregroundDeletion'));

  it('without owner references is nobody’s garbage', () => {
    expect(plan(object('x'))).toEqual({ kind: 'none' });
  });
  it('stays while all owners are there', () => {
    expect(plan(dependent, { owners: [object('a'), object('b')] })).toEqual({ kind: 'none' });
  });
  it('goes when all owners are gone', () => {
    expect(plan(dependent)).toEqual({ kind: 'delete', propagationPolicy: 'Background' });
  });
  it('keeps the owners it still has', () => {
    expect(plan(dependent, { owners: [object('b')] })).toEqual({
      kind: 'keep-references',
      references: [owner('b')],
    });
  });
  it('goes when the owners that are left wait for it', () => {
    expect(plan(dependent, { owners: [foreground] })).toEqual({
      kind: 'delete',
      propagationPolicy: 'Background',
    });
  });
  it('takes its own dependents along first, then', () => {
    expect(plan(dependent, { owners: [foreground], dependents: [object('x')] })).toEqual({
      kind: 'delete',
      propagationPolicy: 'Foreground',
    });
  });
  it('stays with the other owner when one waits', () => {
    expect(plan(dependent, { owners: [foreground, object('b')] })).toEqual({
      kind: 'keep-references',
      references: [owner('b')],
    });
  });
  it('stays when nobody knows whether its owner is there', () => {
    const stranger = { ...owner('s'), kind: 'Stranger' };
    expect(plan(object('d', { ownerReferences: [stranger] }))).toEqual({ kind: 'none' });
    const ownerReferences = [stranger, owner('a')];
    expect(plan(object('d', { ownerReferences }), { owners: [foreground] })).toEqual({
      kind: 'keep-references',
      references: [stranger],
    });
  });
});

describe('an owner that is being deleted', () => {
  const blocking = (stored: object = {}) =>
    object('d', { ownerReferences: [owner('o', true)], ...stored });

  it('in the foreground waits for those that block it', () => {
    for (const dependent of [blocking(), blocking(going())])
      expect(plan(object('o', going('foregroundDeletion')), { dependents: [dependent] })).toEqual({
        kind: 'none',
      });
  });
  it('goes when none blocks it', () => {
    expect(plan(object('o', going('foregroundDeletion')))).toEqual({
      kind: 'remove-finalizer',
      finalizer: 'foregroundDeletion',
    });
  });
  it('as an orphan-maker first lets its dependents go', () => {
    const dependents = [blocking()];
    expect(plan(object('o', going('orphan')), { dependents })).toEqual({
      kind: 'disown',
    });
    expect(plan(object('o', going('orphan')))).toEqual({
      kind: 'remove-finalizer',
      finalizer: 'orphan',
    });
  });
  it('is left to whoever set another finalizer', () => {
    expect(plan(object('o', going('example.com/x')), { dependents: [blocking()] })).toEqual({
      kind: 'none',
    });
  });
});
