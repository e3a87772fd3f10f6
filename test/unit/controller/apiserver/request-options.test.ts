import { describe, expect, it } from 'vitest';
import {
  deleteRequest,
  listOptions,
  watchOptions,
  writeOptions,
} from '../../../../controller/apiserver/request-options.ts';

const query = (text: string) => new URLSearchParams(text);

describe('writeOptions', () => {
  const write = (text: string, userAgent = '') => writeOptions({ query: query(text), userAgent });

  it('is strict, real and named after the client by default', () => {
    expect(write('', 'kubectl/v1.33.1 (linux/amd64)')).toEqual({
      dryRun: false,
      fieldValidation: 'Strict',
      fieldManager: 'kubectl',
      force: false,
    });
  });

  it('reads what was asked for', () => {
    expect(write('dryRun=All&fieldValidation=Warn&fieldManager=me&force=true')).toEqual({
      dryRun: true,
      fieldValidation: 'Warn',
      fieldManager: 'me',
      force: true,
    });
  });

  it.each(['dryRun=Some', 'fieldValidation=Loose'])('refuses %s', (text) => {
    expect(() => write(text)).toThrow(/must be/);
  });
});

describe('deleteRequest', () => {
  it('takes dryRun from the body, where kubectl sends it', () => {
    expect(deleteRequest(query(''), { dryRun: ['All'] }).dryRun).toBe(true);
    expect(deleteRequest(query('dryRun=All'), {}).dryRun).toBe(true);
    expect(deleteRequest(query(''), { dryRun: [] }).dryRun).toBe(false);
  });

  it('reads the options of the body, the query first', () => {
    const body = {
      gracePeriodSeconds: 30,
      propagationPolicy: 'Foreground',
      preconditions: { uid: 'u', resourceVersion: null },
    };
    expect(deleteRequest(query('gracePeriodSeconds=0'), body).options).toEqual({
      gracePeriodSeconds: 0,
      propagationPolicy: 'Foreground',
      preconditions: { uid: 'u' },
    });
  });

  it.each([
    [{ gracePeriodSeconds: -1 }, /not negative/],
    [{ propagationPolicy: 'Backwards' }, /Background, Foreground, Orphan/],
  ])('refuses %j', (body, why) => {
    expect(() => deleteRequest(query(''), body)).toThrow(why);
  });
});

describe('listOptions and watchOptions', () => {
  it('say "" and 0 for what is not asked', () => {
    expect(listOptions(query(''))).toEqual({
      labelSelector: '',
      fieldSelector: '',
      limit: 0,
      continueToken: '',
      resourceVersion: '',
      resourceVersionMatch: undefined,
    });
  });

  it.each(['limit=many', 'limit=-1', 'resourceVersionMatch=Roughly'])('refuse %s', (text) => {
    expect(() => listOptions(query(text))).toThrow(/must be/);
  });

  it('want to know from which state on initial events are sent', () => {
    expect(() => watchOptions(query('sendInitialEvents=true'))).toThrow(/NotOlderThan/);
    expect(
      watchOptions(query('sendInitialEvents=true&resourceVersionMatch=NotOlderThan')),
    ).toMatchObject({ sendInitialEvents: true });
  });
});
