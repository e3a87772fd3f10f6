import { describe, expect, it } from 'vitest';
import { formatFinding, parseManifest } from '../../../cli/manifest.ts';

const bodies = (text: string) => parseManifest('f.yaml', text).objects.map(({ body }) => body);
const findings = (text: string) => parseManifest('f.yaml', text).findings.map(formatFinding);

describe('parseManifest', () => {
  const cases: readonly [title: string, text: string, expected: readonly unknown[]][] = [
    [
      'reads several documents and skips empty ones',
      'a: 1\n---\n---\n# no more\n---\nb: 2\n',
      [{ a: 1 }, { b: 2 }],
    ],
    ['reads nothing from nothing', '', []],
    ['reads JSON', '{"a": [1, "b"]}', [{ a: [1, 'b'] }]],
    ['reads YAML 1.1: octal modes and yes', 'mode: 0644\non: yes', [{ mode: 420, true: true }]],
    [
      'leaves dates and times of day as text',
      'd: 2026-01-02\nt: 12:30:45',
      [{ d: '2026-01-02', t: '12:30:45' }],
    ],
    [
      'merges what << names',
      'a: &x {b: 1}\nc: {<<: *x, d: 2}',
      [{ a: { b: 1 }, c: { b: 1, d: 2 } }],
    ],
    [
      'takes Lists apart, also within Lists',
      'kind: List\nitems:\n- {a: 1}\n- {kind: PodList, items: [{b: 2}]}\n',
      [{ a: 1 }, { b: 2 }],
    ],
  ];
  for (const [title, text, expected] of cases)
    it(title, () => expect(bodies(text)).toEqual(expected));

  it('tells a key that is given twice, and goes on with the next document', () => {
    const text = 'a: 1\na: 2\n---\nb: 1\n';
    expect(findings(text)).toEqual(['f.yaml:2:1  a is given twice']);
    expect(bodies(text)).toEqual([{ b: 1 }]);
  });

  it('tells what JSON would lose', () => {
    expect(findings('a: 1\nb: [.nan, -.inf]')).toEqual([
      'f.yaml:2:5  .nan is no number that JSON knows',
      'f.yaml:2:11  -.inf is no number that JSON knows',
    ]);
  });

  it('tells once, and soon, what is nested too deep', () => {
    expect(findings(`a: ${'['.repeat(10_000)}`)).toEqual([
      expect.stringMatching(/^f\.yaml:1:\d+ {2}it is nested too deep$/),
    ]);
  });

  it('tells what is no object', () => {
    expect(findings('- a\n- b\n')).toEqual([
      'f.yaml:1:1  is not an object: it needs apiVersion, kind and metadata',
    ]);
  });

  it('tells where the syntax ends', () => {
    expect(findings('a: [1, 2\nb: 3\n')[0]).toMatch(/^f\.yaml:2:\d+ /);
  });
});

describe('positionOf', () => {
  const text = `spec:
  containers:
    - name: web
      image: &image "web:1"
      ports: []
    - name: sidecar
      image: *image
  empty:
metadata:
  labels:
    app.kubernetes.io/name: web
`;
  const [object] = parseManifest('f.yaml', text).objects;
  const at = (path: string, atKey = false) => {
    const { line, column } = object?.positionOf(path, { atKey }) ?? { line: 0, column: 0 };
    return `${line}:${column}`;
  };
  const cases: readonly [path: string, place: string, why: string][] = [
    ['spec.containers[0].image', '4:21', 'a scalar at its value'],
    ['spec.containers[1].image', '7:7', 'an alias at its key'],
    ['spec.containers[0].ports', '5:7', 'a list at its key'],
    ['spec.containers[1]', '6:7', 'an item where it begins'],
    ['spec.containers[1].resources.limits', '6:7', 'what isn’t there at what would hold it'],
    ['spec.containers[7].name', '2:3', 'an item too many at its list'],
    ['spec.empty', '8:3', 'nothing at its key'],
    ['metadata.labels[app.kubernetes.io/name]', '11:29', 'a key with dots'],
    ['', '1:1', 'the object where it begins'],
  ];
  for (const [path, place, why] of cases) it(`finds ${why}`, () => expect(at(path)).toBe(place));

  it('finds the key where the key is what is wrong', () => {
    expect(at('spec.containers[0].image', true)).toBe('4:7');
  });

  it('refuses aliases that stand for more than fits into memory, at their place', () => {
    const lines = Array.from({ length: 11 }, (_, i) =>
      i === 0
        ? 'b0: &a0 [x]'
        : `b${i}: &a${i} [${Array(9)
            .fill(`*a${i - 1}`)
            .join(', ')}]`,
    );
    expect(parseManifest('f.yaml', lines.join('\n'))).toMatchObject({
      objects: [],
      findings: [{ file: 'f.yaml', message: 'its aliases stand for too much' }],
    });
  });

  it('refuses aliases of nothing, and of what they are in', () => {
    expect(findings('a: 1\nb: *none\n')).toEqual([
      'f.yaml:2:4  *none stands for nothing: no &none is before it',
    ]);
    expect(findings('a: &x [1, *x]\n')).toEqual(['f.yaml:1:11  *x stands for what it is in']);
  });

  it('merges several maps, and says of what is no map that it can’t be merged', () => {
    const twice = 'a: &a {b: 1}\nc: &c {d: 2}\ne: {<<: *a, <<: *c}\n';
    expect(parseManifest('f.yaml', twice).objects[0]?.body).toMatchObject({ e: { b: 1, d: 2 } });
    expect(findings('<<: 5\na: 1\n')).toEqual([
      'f.yaml:1:1  Merge sources must be maps or map aliases',
    ]);
  });

  it('finds what is in a List', () => {
    const list = parseManifest('f.yaml', 'kind: List\nitems:\n- a:\n    b: 1\n- a:\n    b: 2\n');
    expect(list.objects.map(({ positionOf }) => positionOf('a.b').line)).toEqual([4, 6]);
  });
});
