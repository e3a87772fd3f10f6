import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codeOf, linesMatching, sourceFiles } from './source-tree.ts';

const typescript = sourceFiles(/\.ts$/);
const code = typescript.map(codeOf);
const product = code.filter((f) => !/^(test|bench)\//.test(f.path));

describe('files', () => {
  it('are at most 400 lines long, tests 700', () => {
    const limit = (path: string) => (/^(test|bench)\//.test(path) ? 700 : 400);
    const long = sourceFiles(/\.(ts|c|h)$/)
      .filter((f) => !f.path.endsWith('.c') && f.lines.length - 1 > limit(f.path))
      .map((f) => `${f.path}: ${f.lines.length - 1} lines`);
    expect(long).toEqual([]);
  });

  it('have lines of at most 100 columns', () => {
    const tooWide = /^(?!.*(https?:\/\/|`)).{101,}$/;
    const sources = sourceFiles(/\.(ts|c|h)$/).map((f) => (f.path.endsWith('.ts') ? codeOf(f) : f));
    expect(
      linesMatching(sources, tooWide).filter((l) => !/'[^']{60,}'|"[^"]{60,}"/.test(l)),
    ).toEqual([]);
  });

  it('are named in kebab-case for what they hold', () => {
    const vague = /^(utils?|helpers?|common|misc|manager|data|info|item|engine|workload)\b/;
    const names = typescript
      .map((f) => f.path)
      .filter((path) => {
        const name = basename(path).replace(/\.(test|contract|worker|soak|bench)?\.?ts$/, '');
        return !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*$/.test(name) || vague.test(name);
      });
    expect(names).toEqual([]);
  });
});

/** Each rule: what is refused, where it is allowed, and why. */
const rules: readonly { rule: string; pattern: RegExp; allowed: RegExp }[] = [
  {
    rule: 'the environment is read in config.ts only',
    pattern: /process\.env\b/,
    allowed: /(^|\/)config\.ts$|^test\/|^bench\//,
  },
  {
    rule: 'time comes from base/clock.ts',
    pattern: /\bDate\.now\(|performance\.now\(|\bset(Timeout|Interval)\(|new Date\(\)/,
    allowed: /^base\/clock\.ts$|^test\/|^bench\//,
  },
  {
    rule: 'randomness comes from base/rng.ts',
    pattern: /Math\.random\(|\brandom(UUID|Bytes|Int)\(/,
    allowed: /^base\/rng\.ts$|^test\/|^bench\//,
  },
  {
    // Of a CommonJS package the bundle gives nothing but a default then: a module of our own imports it and is loaded late.
    rule: 'packages are imported at the top',
    pattern: /await import\('[a-z@]/,
    allowed: /^(test|bench|deploy)\//,
  },
  {
    rule: 'types are not argued away',
    pattern: /\bas unknown as\b|@ts-(ignore|expect-error|nocheck)|\bas any\b|: any\b/,
    allowed: /^test\/tidy\//,
  },
  {
    rule: 'an error is not pasted into a message: it is the cause',
    pattern: /new \w*Error\([^)]*\+ \w*(err|error|e)\.message/,
    allowed: /^$/,
  },
  {
    rule: 'commands are lists of arguments, never one string',
    pattern: /(?<!db\.)\b(execSync|exec)\(`|shell: true/,
    allowed: /^test\/tidy\//,
  },
  {
    rule: 'nothing is left for later in a comment',
    pattern: /\b(TODO|FIXME|XXX|HACK)\b/,
    allowed: /^test\/tidy\//,
  },
];

describe('the code', () => {
  for (const { rule, pattern, allowed } of rules) {
    it(`keeps the rule: ${rule}`, () => {
      const files = code.filter((f) => !allowed.test(f.path));
      expect(linesMatching(files, pattern)).toEqual([]);
    });
  }

  it('has no skipped or focused test without a stated reason', () => {
    const tests = code.filter(
      ({ path }) => path.startsWith('test/') && !path.startsWith('test/tidy/'),
    );
    expect(linesMatching(tests, /\b(it|test|describe)\.(only|todo|skip)\(/)).toEqual([]);
  });

  it('stays under its size: lines of code, C included, without tests and generated code', () => {
    const c = sourceFiles(/^native\/.*\.[ch]$/).map(codeOf);
    const lines = [...product, ...c].flatMap((f) => f.lines.filter((line) => line.trim() !== ''));
    // 40,000 was the aim: docs/decisions/0014-what-the-api-costs.md.
    expect(lines.length).toBeLessThan(45_500);
  });
});

describe('ARCHITECTURE.md', () => {
  it('names every folder that holds source', () => {
    const [architecture] = sourceFiles(/^ARCHITECTURE\.md$/);
    const text = architecture?.lines.join('\n') ?? '';
    const folders = new Set(
      product
        .filter((f) => f.path.includes('/'))
        .map((f) => f.path.split('/').slice(0, 2))
        .map(([top, sub]) => (sub?.includes('.') ? `${top}/` : `${top}/${sub}/`)),
    );
    expect([...folders].filter((folder) => !text.includes(folder))).toEqual([]);
  });
});
