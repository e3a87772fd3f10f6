import { describe, expect, it } from 'vitest';
import { JsonPathError } from '../../../api/json-path.ts';
import { UsageError } from '../../../base/flags.ts';
import { parseTemplate } from '../../../cli/json-path.ts';

const pods = {
  kind: 'List',
  items: [
    {
      metadata: { name: 'a', labels: { app: 'web', 'x.io/y': 'z' } },
      spec: {
        grace: 30,
        hostNetwork: true,
        containers: [
          { name: 'c1', image: 'i1', ports: [{ port: 80 }] },
          { name: 'c2', image: 'i2' },
        ],
      },
      status: { phase: 'Running', message: null },
    },
    {
      metadata: { name: 'b', labels: { app: 'db' } },
      spec: { grace: 5, containers: [{ name: 'c3', image: 'i3' }] },
      status: { phase: 'Pending' },
    },
  ],
};

describe('a JSONPath template', () => {
  // What kubectl 1.33 prints for each.
  const cases: readonly [template: string, expected: string][] = [
    ['', ''],
    ['text only', 'text only'],
    ['.kind', '.kind'],
    ['{.kind}', 'List'],
    ['{ .kind }!', 'List!'],
    ['{$.kind} {@.kind}', 'List List'],
    ['{.items[*].metadata.name}', 'a b'],
    [
      '{range .items[*]}{.metadata.name}{"\\t"}{.status.phase}{"\\n"}{end}',
      'a\tRunning\nb\tPending\n',
    ],
    [
      '{range .items[*]}{.metadata.name}:{range .spec.containers[*]}{.name},{end};{end}',
      'a:c1,c2,;b:c3,;',
    ],
    ['{range .items[*]}{.metadata.name}', 'ab'],
    ['{range .nothing[*]}{.x}{end}done', 'done'],
    ["{.items[*]['metadata.name', 'status.phase']}", 'a b Running Pending'],
    ["{['items'][0].kind}", ''],
    ["{.items[0].metadata.labels['x\\.io/y']}", 'z'],
    ['{.items[0].metadata.labels.x\\.io/y}', 'z'],
    ["{.items[0].metadata.labels['x.io/y']}", ''],
    ['{.items[0].metadata.labels}', '{"app":"web","x.io/y":"z"}'],
    ['{.items[0].metadata.labels.*}', 'web z'],
    ['{.items[0].spec.containers[-1].name}', 'c2'],
    ['{.items[0].spec.containers[0,1].name}', 'c1 c2'],
    ['{.items[0].spec.containers[0:1].name}', 'c1'],
    ['{.items[0].spec.containers[:].name}', 'c1 c2'],
    ['{.items[0].spec.containers[0:2:2].name}', 'c1'],
    ['{.items[-1:].metadata.name}', 'b'],
    ['{..image}', 'i1 i2 i3'],
    ['{.items[?(@.status.phase=="Running")]..image}', 'i1 i2'],
    ["{.items[?(@.metadata.name=='b')].status.phase}", 'Pending'],
    ['{.items[?("b" == @.metadata.name)].status.phase}', 'Pending'],
    ['{.items[?(@.status.phase!="Running")].metadata.name}', 'b'],
    ['{.items[?(@.spec.grace>10)].metadata.name}', 'a'],
    ['{.items[?(@.spec.grace>=5)].metadata.name}', 'a b'],
    ['{.items[?(@.spec.grace<30)].metadata.name}', 'b'],
    ['{.items[?(@.spec.grace<=5)].metadata.name}', 'b'],
    ['{.items[?(@.spec.hostNetwork)].metadata.name}', 'a'],
    ['{.items[?(@.spec.hostNetwork==true)].metadata.name}', 'a'],
    ['{.items[*].spec.containers[?(@.ports[0].port==80)].name}', 'c1'],
    ['{.items[?(@.nothing!="x")].metadata.name}', ''],
    ['{.items[0].spec.hostNetwork}{5}{true}', 'true5true'],
    ['{.nothing.deep} {.items[0].status.message}', ' '],
    ['{.items[0].spec.containers[*].ports}', '[{"port":80}]'],
    ['{"a\\"b"}{\'c\'}', 'a"bc'],
    ['{.constructor}{.items[0].toString}', ''],
  ];
  it.each(cases)('%s prints what kubectl prints', (template, expected) => {
    expect(parseTemplate(template)(pods)).toBe(expected);
  });

  it.each([
    '{.items[*].metadata.name',
    '{"open}',
    '{.items[}',
    '{.items[a]}',
    '{.items[?(@.x=="y" || @.x=="z")]}',
    '{.items[?(@.x=~"y")]}',
    '{.a "x"}',
    '{end}',
    '{rang .items[*]}',
  ])('%s is refused, with its place', (template) => {
    expect(() => parseTemplate(template)).toThrow(UsageError);
    expect(() => parseTemplate(template)).toThrow(/at character \d+/);
  });

  it('says what it can’t look into', () => {
    const cases: readonly [template: string, expected: string][] = [
      ['{.items[2]}', 'JSONPath: there is no [2] in a list of 2'],
      ['{.kind[0]}', 'JSONPath: List is no list'],
      ['{.items[?(@.metadata.name==5)]}', "JSONPath: a and 5 don't compare"],
      ['{.items[?(@.spec.containers[*].name=="c1")]}', "JSONPath: c1 c2 and c1 don't compare"],
    ];
    for (const [template, expected] of cases)
      expect(() => parseTemplate(template)(pods)).toThrow(new JsonPathError(expected));
  });
});
