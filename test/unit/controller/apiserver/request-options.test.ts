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

  it('does not take a dry run for real because an empty word stands before it', () => {
    expect(write('dryRun=&dryRun=All').dryRun).toBe(true);
  });

  it.each([
    ['dryRun=Some', 'dryRun[0]: Unsupported value: "Some": supported values: "All"'],
    [
      'fieldValidation=Loose',
      'fieldValidation: Unsupported value: "Loose": supported values: "Strict", "Warn", "Ignore"',
    ],
  ])('refuses %s', (text, why) => {
    expect(() => write(text)).toThrow(why);
  });
});

describe('deleteRequest', () => {
  it('takes dryRun from the body, where kubectl sends it', () => {
    expect(deleteRequest(query(''), { dryRun: ['All'] }).dryRun).toBe(true);
    expect(deleteRequest(query('dryRun=All'), {}).dryRun).toBe(true);
    expect(deleteRequest(query('dryRun='), { dryRun: ['All'] }).dryRun).toBe(true);
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
    [
      { gracePeriodSeconds: -1 },
      'gracePeriodSeconds: Invalid value: -1: must be greater than or equal to 0',
    ],
    [
      { propagationPolicy: 'Backwards' },
      'propagationPolicy: Unsupported value: "Backwards": supported values: "Background", "Foreground", "Orphan"',
    ],
    [
      { preconditions: { uid: 7 } },
      'preconditions.uid: Invalid value: 7: must be a string, not a number',
    ],
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
      continue: '',
      resourceVersion: '',
    });
  });

  it.each([
    ['limit=many', 'limit must be a number, not "many"'],
    ['limit=-1', 'limit must be a number, not "-1"'],
    [
      'resourceVersionMatch=Roughly',
      'resourceVersionMatch: Unsupported value: "Roughly": supported values: "Exact", "NotOlderThan"',
    ],
  ])('refuse %s', (text, why) => {
    expect(() => listOptions(query(text))).toThrow(why);
  });

  it.each([
    ['resourceVersionMatch=Exact', 'resourceVersionMatch is forbidden unless resourceVersion is'],
    [
      'resourceVersionMatch=NotOlderThan&resourceVersion=7&continue=x',
      'resourceVersionMatch is forbidden with continue',
    ],
    [
      'resourceVersionMatch=Exact&resourceVersion=0',
      'resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
    ],
    ['sendInitialEvents=false', 'sendInitialEvents is forbidden for list'],
  ])('allow no list with %s', (text, why) => {
    expect(() => listOptions(query(text))).toThrow(expect.objectContaining({ reason: 'Invalid' }));
    expect(() => listOptions(query(text))).toThrow(why);
  });

  it.each([
    ['sendInitialEvents=true', 'sendInitialEvents: Forbidden: sendInitialEvents requires setting'],
    ['sendInitialEvents=false', 'requires setting resourceVersionMatch to NotOlderThan'],
    ['sendInitialEvents=true&resourceVersionMatch=Exact', 'requires setting'],
    [
      'resourceVersionMatch=NotOlderThan&resourceVersion=7',
      'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch',
    ],
  ])('allow no watch with %s', (text, why) => {
    expect(() => watchOptions(query(text))).toThrow(expect.objectContaining({ reason: 'Invalid' }));
    expect(() => watchOptions(query(text))).toThrow(why);
  });

  it.each([
    ['listOptions', listOptions, 'resourceVersionMatch=Exact&resourceVersion=7'],
    ['listOptions', listOptions, 'resourceVersionMatch=NotOlderThan&resourceVersion=0'],
    ['listOptions', listOptions, 'continue=x&limit=5'],
    ['watchOptions', watchOptions, 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan'],
    [
      'watchOptions',
      watchOptions,
      'sendInitialEvents=false&resourceVersionMatch=NotOlderThan&resourceVersion=7',
    ],
  ])('%s allow %s', (_, read, text) => {
    expect(read(query(text))).toMatchObject(
      text.includes('Match=') ? { resourceVersionMatch: /Match=(\w+)/.exec(text)?.[1] } : {},
    );
  });
});
