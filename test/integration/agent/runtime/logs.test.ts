import {
  appendFileSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LogRequest, readLogs } from '../../../../agent/runtime/logs.ts';
import { waitFor } from '../../../support/wait-for.ts';

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(`${tmpdir()}/orc-logs-`);
  path = `${dir}/0.log`;
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const entries = (...texts: readonly (string | number)[]) =>
  texts.map((text) => `2026-01-02T03:04:05.123456789Z stdout F ${text}\n`).join('');
const request = (over: Partial<LogRequest> = {}): LogRequest => ({
  path,
  follow: false,
  tailLines: undefined,
  sinceMs: undefined,
  timestamps: false,
  limitBytes: undefined,
  ...over,
});
const never = { abort: new AbortController().signal, ended: new AbortController().signal };

async function read(over: Partial<LogRequest> = {}): Promise<string | undefined> {
  const chunks = await readLogs(request(over), never);
  if (chunks === undefined) return undefined;
  let text = '';
  for await (const chunk of chunks) text += Buffer.from(chunk).toString();
  return text;
}

describe('a log', () => {
  it('is read through its rotated files', async () => {
    for (const [name, line] of Object.entries({ 11: 'a', 10: 'b', 2: 'c', 1: 'd', '1.new': 'no' }))
      writeFileSync(`${path}.${name}`, entries(line));
    writeFileSync(path, entries('e'));
    expect(await read()).toBe('a\nb\nc\nd\ne\n');
  });

  it('is undefined where there is none', async () => {
    expect(await read()).toBeUndefined();
  });

  const tails: readonly [number, string][] = [
    [0, ''],
    [1, '5\n'],
    [3, '3\n4\n5\n'],
    [4, '2\n3\n4\n5\n'],
    [5, '1\n2\n3\n4\n5\n'],
    [99, '1\n2\n3\n4\n5\n'],
  ];
  it.each(tails)('gives its last %i lines, of older files if need be', async (tailLines, text) => {
    writeFileSync(`${path}.1`, entries(1, 2));
    writeFileSync(path, entries(3, 4, 5));
    expect(await read({ tailLines })).toBe(text);
  });

  it('gives the last lines of a long file', async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i}`);
    writeFileSync(path, entries(...lines));
    expect(await read({ tailLines: 5_000 })).toBe(`${lines.slice(-5_000).join('\n')}\n`);
  });

  it('is cut at the limit', async () => {
    writeFileSync(path, entries('one', 'two'));
    expect(await read({ limitBytes: 5 })).toBe('one\nt');
  });

  it('is not a link', async () => {
    writeFileSync(`${dir}/secret`, entries('secret'));
    symlinkSync(`${dir}/secret`, path);
    await expect(read()).rejects.toThrow(/ELOOP/);
  });
});

describe('a followed log', () => {
  async function follow(over: Partial<LogRequest> = {}) {
    const abort = new AbortController();
    const ended = new AbortController();
    const signals = { abort: abort.signal, ended: ended.signal };
    const chunks = await readLogs(request({ follow: true, ...over }), signals);
    let text = '';
    const done = (async () => {
      for await (const chunk of chunks ?? []) text += Buffer.from(chunk).toString();
    })();
    const until = (expected: string) => waitFor(`"${expected}"`, () => text === expected);
    return { abort, ended, done, until, text: () => text };
  }

  it('goes on with what is written, and ends with its container', async () => {
    writeFileSync(path, entries(1, 2));
    const log = await follow({ tailLines: 1 });
    await log.until('2\n');
    appendFileSync(path, entries(3));
    await log.until('2\n3\n');
    appendFileSync(path, entries(4));
    log.ended.abort();
    await log.done;
    expect(log.text()).toBe('2\n3\n4\n');
  });

  it('goes on through rotations, losing nothing', async () => {
    writeFileSync(path, entries(1));
    const log = await follow();
    await log.until('1\n');
    let expected = '1\n';
    for (let n = 2; n < 40; n++) {
      appendFileSync(path, entries(n));
      expected += `${n}\n`;
      if (n % 3 !== 0) continue;
      renameSync(path, `${path}.1`);
      writeFileSync(path, entries(`new ${n}`));
      expected += `new ${n}\n`;
      await log.until(expected);
    }
    log.ended.abort();
    await log.done;
    expect(log.text()).toBe(expected);
  });

  it('finds what two rotations at once have left', async () => {
    writeFileSync(path, entries(1));
    const log = await follow();
    await log.until('1\n');
    renameSync(path, `${path}.2`);
    writeFileSync(`${path}.1`, entries(2));
    writeFileSync(path, entries(3));
    await log.until('1\n2\n3\n');
    log.abort.abort();
    await log.done;
  });

  it('ends at its limit, whether or not more is written', async () => {
    writeFileSync(path, entries('one', 'two'));
    const log = await follow({ limitBytes: 5 });
    await log.done;
    expect(log.text()).toBe('one\nt');
  });

  it('ends when the reader lets go', async () => {
    writeFileSync(path, entries(1));
    const log = await follow();
    await log.until('1\n');
    log.abort.abort();
    await log.done;
  });
});
